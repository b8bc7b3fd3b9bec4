export { explainEntries, PostureDifference } from './difference';
export { PostureConcern, PostureEntry, PostureFact } from './fact';
export { networkWords } from './network-facts';
export { Posture, PosturePageOptions } from './posture';
export { escaped } from './reports';
export { treeOf, type TreeNode } from './tree';
