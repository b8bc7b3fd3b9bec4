import { isDeepStrictEqual } from 'node:util';
import { Emitter } from './emit';
import { type Knob, isAlways, valueAt } from './knob';
import { NAMESPACE, Sentinels, condition, toggles } from './sentinels';
import { type Assignment, SINGLE, Synthesizer, objectsOf } from './synthesize';
import { type Entry, Merger, type Node, type Variant, allOf, not } from './template';

/** Knobs that bring objects which other knobs change: each of these sets, with one more. */
const CONTEXTS: readonly (readonly string[])[] = [
  [], ['namespaces'], ['router.enabled'], ['namespaces', 'router.enabled'], ['router.enabled', 'router.gateway.enabled'],
];

/** The files of `templates/` that come from the construct, by name. */
export function templates(knobs: readonly Knob[]): Map<string, string> {
  const sentinels = new Sentinels(knobs);
  const synthesizer = new Synthesizer(knobs, sentinels);
  const all = [...toggles(knobs), ...Object.values(SINGLE)];
  const emitter = new Emitter(sentinels);
  const files = new Map<string, string>();
  const effective = new Set<string>(['crds.install']);

  for (const [key, home] of homes(all, synthesizer)) {
    const base = synthesizer.objects(home)!.get(key);
    const conditions = home.map(condition);
    const variants: Variant[] = [];
    home.forEach(knob => effective.add(knob.value));
    for (const knob of all.filter(other => !home.includes(other))) {
      const [before, after] = [synthesizer.objects(home, [knob]), synthesizer.objects([...home, knob])];
      if (!before || !after || isDeepStrictEqual(before.get(key), after.get(key))) {
        continue;
      }
      effective.add(knob.value);
      if (after.has(key)) {
        variants.push({ knob, value: rebased(base, before.get(key), after.get(key)) });
      } else {
        conditions.push(not(condition(knob)));
      }
    }
    const namespaces = knobs.find(({ value }) => value === 'namespaces')!;
    const ranged = base.metadata.namespace === sentinels.of(namespaces).shown;
    const node = new Merger(sentinels).merge(base, variants);
    const lines = emitter.map(withLabels(node), 0);
    const outer = allOf(ranged ? conditions.filter(one => one !== condition(namespaces)) : conditions);
    files.set(fileName(base), file(ranged ? lines.map(line => line.replace(/\{\{ join "," \$\.Values\.namespaces/g, '{{ .')) : lines, outer, ranged ? '$.Values.namespaces' : undefined));
  }
  const labels = sentinels.of(knobs.find(({ value }) => value === 'commonLabels')!).value as { [key: string]: string };
  const { metadata } = objectsOf({ image: 'none', labels }, NAMESPACE).find(({ kind }) => kind === 'CustomResourceDefinition')!;
  delete metadata.name;
  files.set('crds.yaml', definitions(emitter, new Merger(sentinels).merge({ metadata }, [])));
  const idle = knobs.filter(knob => !effective.has(knob.value) && !isAlways(knob));
  const text = [...files.values()].join('\n');
  const unused = knobs.filter(knob => isAlways(knob) && !text.includes(knob.value) && knob.expression === undefined);
  if (idle.length + unused.length > 0) {
    throw new Error(`values without effect: ${[...idle, ...unused].map(({ value }) => value).join(', ')}`);
  }
  return files;
}

/** Every object that there can be, with the fewest knobs that bring it. */
function homes(all: readonly Knob[], synthesizer: Synthesizer): Map<string, Assignment> {
  const found = new Map<string, Assignment>();
  const contexts = CONTEXTS.map(values => values.map(value => all.find(knob => knob.value === value)!));
  const assignments = contexts.flatMap(context => [context, ...all.filter(knob => !context.includes(knob)).map(knob => [...context, knob])]);
  for (const assignment of assignments.sort((a, b) => a.length - b.length)) {
    for (const key of synthesizer.objects(assignment)?.keys() ?? []) {
      if (!found.has(key)) {
        found.set(key, assignment);
      }
    }
  }
  return found;
}

/** What a change from `before` to `after` makes of `base`: a knob may need others that change the object as well. */
function rebased(base: any, before: any, after: any): any {
  if (isDeepStrictEqual(before, after)) {
    return base;
  }
  const maps = [base, before, after].every(value => typeof value === 'object' && value !== null && !Array.isArray(value));
  const lists = [base, before, after].every(Array.isArray) && base.length === before.length && base.length === after.length;
  if (lists) {
    return base.map((item: any, index: number) => rebased(item, before[index], after[index]));
  }
  if ([base ?? [], before, after].every(Array.isArray)) {
    const has = (list: any[], item: any) => list.some(other => isDeepStrictEqual(other, item));
    // What only the values beside the knob bring is not its own.
    return after.filter((item: any) => has(base ?? [], item) || !has(before, item));
  }
  if (!maps || isDeepStrictEqual(base, before)) {
    return after;
  }
  const keys = [...new Set([...Object.keys(base), ...Object.keys(after)])];
  const entries = keys.map(key => [key, rebased(base[key], before[key], after[key])]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

/** The definitions are files of the chart, to which Helm adds `metadata`. */
function definitions(emitter: Emitter, metadata: Node): string {
  return [
    '{{- /* Generated by scripts/helm-chart.ts from src/install; do not edit. */ -}}',
    '{{- define "agent-sandbox.crdMetadata" }}',
    ...emitter.map(withLabels(metadata), 0),
    '{{- end }}',
    '{{- if $.Values.crds.install }}',
    '{{- $metadata := include "agent-sandbox.crdMetadata" $ }}',
    '{{- $files := $.Files.Glob "files/crds/*.yaml" }}',
    '{{- if not $files }}{{ fail "the chart is not complete: it has no files/crds" }}{{ end }}',
    '{{- range $name, $bytes := $files }}',
    '---',
    '{{ $.Files.Get $name | replace "\\nmetadata:" $metadata }}',
    '{{- end }}',
    '{{- end }}',
    '',
  ].join('\n');
}

/** Adds what Helm says about an object. */
function withLabels(object: Node): Entry[] {
  const helm: Entry = { node: { type: 'raw', expression: 'include "agent-sandbox.labels" $ | fromYaml' } };
  const change = (entries: readonly Entry[], key: string, to: (below: readonly Entry[]) => readonly Entry[]): Entry[] =>
    entries.map(entry => (entry.key === key ? { ...entry, node: { type: 'map', entries: to(entriesOf(entry.node)) } } : entry));
  return change(entriesOf(object), 'metadata', metadata => change(metadata, 'labels', labels => [helm, ...labels]));
}

function entriesOf(node: Node): readonly Entry[] {
  if (node.type !== 'map') {
    throw new Error(`there is a ${node.type} where an object has a map`);
  }
  return node.entries;
}

function fileName({ kind, metadata }: any): string {
  const component = valueAt(metadata, 'labels')?.['app.kubernetes.io/component'];
  const name = String(metadata.name).replace(/zz-\d+-zz/g, 'controller').replace(/[^a-z0-9-]/g, '');
  return `${[kind.toLowerCase(), name].join('-')}${component && !name.includes(component) ? `-${component}` : ''}.yaml`;
}

function file(lines: readonly string[], outer: string | undefined, range?: string): string {
  const document = range ? ['---', ...lines] : lines;
  return [
    '{{- /* Generated by scripts/helm-chart.ts from src/install; do not edit. */ -}}',
    ...(outer ? [`{{- if ${outer} }}`] : []),
    ...(range ? [`{{- range ${range} }}`] : []),
    ...document,
    ...(range ? ['{{- end }}'] : []),
    ...(outer ? ['{{- end }}'] : []),
    '',
  ].join('\n');
}
