import DATA from '../generated/crds.json';

/** Read when first asked for: apps that install the definitions by other means do not pay for them. */
let read: readonly any[] | undefined;

/** The four CustomResourceDefinitions, as in `chart/files/crds`. */
export function crds(): readonly any[] {
  read ??= DATA.crds.map(whole);
  return read;
}

/** With what is written once for several places in each of them. */
function whole(node: any): any {
  if (typeof node !== 'object' || node === null) {
    return node;
  }
  if (Array.isArray(node)) {
    return node.map(whole);
  }
  return '$shared' in node ? whole(DATA.shared[node.$shared]) : Object.fromEntries(Object.entries(node).map(([key, item]) => [key, whole(item)]));
}
