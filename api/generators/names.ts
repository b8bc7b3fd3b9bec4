/** Names of types and properties: from the wire to TypeScript, under the rules of jsii. */

/** `ISCSIVolumeSource` → `IscsiVolumeSource`: a run of capitals is one word, its last letter begins the next one. */
export function typeName(name: string): string {
  return name.replace(/[A-Z]{2,}(?=[A-Z][a-z]|$)|[A-Z]{2,}(?=[0-9])/g, run => run[0] + run.slice(1).toLowerCase());
}

/** `hostIPC` → `hostIpc`, `targetWWNs` → `targetWwns`. */
export function propertyName(name: string): string {
  return name
    .replace(/([A-Z]{2,})s$/, (_, run) => run[0] + run.slice(1).toLowerCase() + 's')
    .replace(/[A-Z]{2,}(?=[A-Z][a-z]|$)/g, run => run[0] + run.slice(1).toLowerCase())
    .replace(/[A-Z]{2,}/g, run => run[0] + run.slice(1).toLowerCase());
}

/** `DeleteForeground` → `DELETE_FOREGROUND`. */
export function enumMember(value: string): string {
  return value.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase();
}
