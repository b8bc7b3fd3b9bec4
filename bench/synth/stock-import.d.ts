/** What the benchmark generates into bench/work: typed there, and unknown to the checks of the repository. */
declare module 'stock-import/*';
