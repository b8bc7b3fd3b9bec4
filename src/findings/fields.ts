import { dnsLabel, dnsSubdomain, nearest, show, time } from '../checks';
import { DEPRECATED_VERSION, VERSION } from '../generated/vocabulary.gen';
import { crds } from '../objects';
import { FindingSeverity } from './finding';
import { GROUPS, KIND_NAMES, MISTAKES } from './mistakes';
import type { Report, Rule, Subject, World } from './world';

type Json = any;

let schemas: Map<string, Json> | undefined;

/** The schema of a kind in a version. */
function schemaOf(kind: string, version: string): Json {
  schemas ??= new Map(crds().flatMap(crd => crd.spec.versions.map((each: Json) =>
    [`${crd.spec.names.kind}/${each.name}`, each.schema.openAPIV3Schema] as const)));
  return schemas.get(`${kind}/${version}`);
}

/** What a schema says against a value: the field, and what is wrong with it. */
type Say = (rule: 'unknown' | 'missing' | 'type' | 'value', field: string, value: unknown, schema: Json) => void;

function validate(schema: Json, value: Json, path: string, say: Say): void {
  if (schema['x-kubernetes-preserve-unknown-fields'] || value === null) {
    return;
  }
  if (schema['x-kubernetes-int-or-string']) {
    if (typeof value !== 'string' && !Number.isInteger(value)) {
      say('type', path, value, { type: 'string or integer' });
    }
    return;
  }
  const fits = schema.type === 'array' ? Array.isArray(value)
    : schema.type === 'object' ? typeof value === 'object' && !Array.isArray(value)
      : schema.type === 'integer' ? Number.isInteger(value)
        : schema.type === undefined || typeof value === schema.type;
  if (!fits) {
    say('type', path, value, schema);
  } else if (schema.type === 'array') {
    value.forEach((item: Json, index: number) => validate(schema.items, item, `${path}[${index}]`, say));
  } else if (schema.type === 'object') {
    for (const name of schema.required ?? []) {
      if (value[name] === undefined && schema.properties?.[name]?.default === undefined) {
        say('missing', `${path}.${name}`, undefined, schema.properties?.[name] ?? {});
      }
    }
    for (const [name, item] of Object.entries(value)) {
      const property = schema.properties?.[name] ?? schema.additionalProperties;
      if (typeof property === 'object') {
        validate(property, item, `${path}.${name}`, say);
      } else if (schema.properties) {
        say('unknown', `${path}.${name}`, item, schema);
      }
    }
  } else if ((schema.enum && !schema.enum.includes(value)) || value < schema.minimum || value > schema.maximum || (schema.format === 'date-time' && time(value) !== undefined)) {
    say('value', path, value, schema);
  }
}

/** A value without what is null, or an object, a list or neither where its schema wants another, so that rules can rely on the shape. */
function typed(schema: Json, value: Json): Json {
  if (value === null || value === undefined || schema === undefined || schema['x-kubernetes-preserve-unknown-fields']) {
    return value ?? undefined;
  }
  if (schema.type === 'array') {
    return Array.isArray(value) ? value.map(item => typed(schema.items, item)).filter(item => item !== undefined) : undefined;
  }
  if (schema.type === 'object') {
    if (typeof value !== 'object' || Array.isArray(value)) {
      return undefined;
    }
    const items = Object.entries(value).map(([name, item]) => [name, typed(schema.properties?.[name] ?? schema.additionalProperties, item)]);
    return Object.fromEntries(items.filter(([, item]) => item !== undefined));
  }
  return typeof value === 'object' && (schema.type !== undefined || schema['x-kubernetes-int-or-string']) ? undefined : value;
}

/** A manifest of ours without the fields whose values are of another shape than the API wants. @internal */
export function typedManifest(manifest: Json): Json {
  const [group, version] = String(manifest.apiVersion).split('/');
  const schema = GROUPS[manifest.kind] === group ? schemaOf(manifest.kind, version) : undefined;
  return schema ? { ...manifest, spec: typed(schema.properties?.spec, manifest.spec) } : manifest;
}

/** Name and namespace, which no schema of ours describes. */
function checkMetadata({ written: { metadata } }: Subject, say: Say): void {
  if (metadata?.name === undefined && metadata?.generateName === undefined) {
    say('missing', 'metadata.name', undefined, { type: 'string' });
  }
  for (const [name, rule] of [['name', dnsSubdomain], ['namespace', dnsLabel]] as const) {
    const value = metadata?.[name];
    if (value !== undefined && typeof value !== 'string') {
      say('type', `metadata.${name}`, value, { type: 'string' });
    } else if (value !== undefined && !PLACEHOLDER.test(value) && rule(value) !== undefined) {
      say('value', `metadata.${name}`, value, { remedy: rule(value) });
    }
  }
}

/** What templating tools put in. */
const PLACEHOLDER = /[${}<>]|REPLACE/;

/** Runs `handle` for what the schema of each object of ours finds of one sort. */
function ofSchema(sort: Parameters<Say>[0], handle: (subject: Subject, field: string, value: unknown, schema: Json, report: Report) => void) {
  return ({ subjects }: World, report: Report): void => {
    for (const subject of subjects.filter(each => GROUPS[each.kind] === each.group)) {
      const version = String(subject.manifest.apiVersion).split('/')[1];
      const { spec, status } = schemaOf(subject.kind, version)?.properties ?? {};
      for (const [part, schema] of [['spec', spec], ['status', status]]) {
        if (schema && subject.written[part] !== undefined) {
          validate(schema, subject.written[part], part, (found, field, value, at) => found === sort && handle(subject, field, value, at, report));
        }
      }
      checkMetadata(subject, (found, field, value, at) => found === sort && handle(subject, field, value, at, report));
      if (sort === 'missing' && spec && subject.written.spec === undefined) {
        handle(subject, 'spec', undefined, spec, report);
      }
    }
  };
}

/** Groups of Kubernetes itself, which have no Sandbox. */
const OF_KUBERNETES = /^(core|apps|batch|autoscaling|policy)$|\.k8s\.io$/;

const looksLikeOurs = (subject: Subject) => /sandbox/i.test(subject.group) || /(^|\.)agents?\b/.test(subject.group);

export const FIELD_RULES: readonly Rule[] = [
  {
    id: 'wrong-kind',
    severity: FindingSeverity.ERROR,
    summary: 'The API has no such kind.',
    notAtSynth: true,
    check: ({ subjects }, report) => {
      for (const subject of subjects.filter(each => !(each.kind in GROUPS) && (each.kind in KIND_NAMES || each.isOurs))) {
        const { kind: written, Kind: capital } = subject.manifest;
        const kind = KIND_NAMES[subject.kind] ?? nearest(String(written ?? capital ?? ''), Object.keys(GROUPS));
        report(subject, 'kind', written, 'the API has Sandbox, SandboxTemplate, SandboxClaim and SandboxWarmPool',
          kind ? `write apiVersion: ${GROUPS[kind]}/${VERSION}, kind: ${kind}` : 'use one of these');
      }
    },
  },
  {
    id: 'wrong-group',
    severity: FindingSeverity.ERROR,
    summary: 'A kind of the API is written with another group, such as an extension with the core group, or without a version that is served.',
    notAtSynth: true,
    check: ({ subjects }, report) => {
      for (const subject of subjects.filter(each => each.kind in GROUPS)) {
        const right = GROUPS[subject.kind];
        const version = String(subject.manifest.apiVersion).split('/').at(-1)!;
        // Other projects have a Sandbox, too.
        if (subject.group !== right && (subject.isOurs || subject.kind !== 'Sandbox' || OF_KUBERNETES.test(subject.group) || looksLikeOurs(subject))) {
          report(subject, 'apiVersion', subject.manifest.apiVersion, `${subject.kind} is in the group ${right}`, `write apiVersion: ${right}/${VERSION}`);
        } else if (subject.group === right && version !== VERSION && version !== DEPRECATED_VERSION) {
          report(subject, 'apiVersion', subject.manifest.apiVersion, `the versions are ${VERSION} and, deprecated, ${DEPRECATED_VERSION}`, `write apiVersion: ${right}/${VERSION}`);
        }
      }
    },
  },
  {
    id: 'deprecated-version',
    severity: FindingSeverity.WARNING,
    summary: 'An object is written in the deprecated version.',
    manifestsOnly: true,
    check: ({ subjects }, report) => {
      for (const subject of subjects.filter(each => GROUPS[each.kind] === each.group && each.manifest.apiVersion === `${each.group}/${DEPRECATED_VERSION}`)) {
        report(subject, 'apiVersion', subject.manifest.apiVersion, `${DEPRECATED_VERSION} is deprecated`, `write apiVersion: ${subject.group}/${VERSION}`);
      }
    },
  },
  {
    id: 'unknown-field',
    severity: FindingSeverity.ERROR,
    summary: 'A field that the API does not have; the API server drops it, or refuses it with strict validation. Says what the field is called.',
    notAtSynth: true,
    check: ofSchema('unknown', (subject, field, value, schema, report) => {
      const plain = field.replace(/\[\d+\]/g, '[]');
      const mistake = MISTAKES.find(each => each.field === plain && (!each.kinds || each.kinds.includes(subject.kind)));
      const name = field.slice(field.lastIndexOf('.') + 1);
      const near = nearest(name, Object.keys(schema.properties ?? {}))
        ?? schema.required?.find((each: string) => each.toLowerCase().endsWith(name.toLowerCase()));
      report(subject, field, typeof value === 'object' ? undefined : value, `${subject.kind} has no such field`,
        mistake ? `use ${mistake.instead}: ${mistake.lines}` : near ? `use ${field.slice(0, -name.length)}${near}`
          // A label, where the API has selectors with expressions as well.
          : schema.properties?.matchLabels ? `put it into matchLabels: ${field.slice(0, -name.length)}matchLabels.${name}` : 'leave it out');
    }),
  },
  {
    id: 'missing-field',
    severity: FindingSeverity.ERROR,
    summary: 'A field that the API requires is missing.',
    notAtSynth: true,
    check: ofSchema('missing', (subject, field, _value, schema, report) =>
      report(subject, field, undefined, 'the API requires it', `add it${schema.type ? ` (${schema.type})` : ''}`)),
  },
  {
    id: 'wrong-type',
    severity: FindingSeverity.ERROR,
    summary: 'A field has a value of another type than the API wants.',
    notAtSynth: true,
    check: ofSchema('type', (subject, field, value, schema, report) => {
      const quoted = schema.type !== 'string' && typeof value === 'string' && /^(true|false|-?\d+)$/.test(value);
      const unquoted = schema.type === 'string' && (typeof value === 'number' || typeof value === 'boolean');
      report(subject, field, value, `the API wants ${/^[aeiou]/.test(schema.type) ? 'an' : 'a'} ${schema.type}`,
        quoted ? `write ${value} without quotes` : unquoted ? `write it with quotes: '${value}'`
          : schema.type === 'array' && typeof value === schema.items?.type ? `write a list: [${show(value)}]` : `write ${/^[aeiou]/.test(schema.type) ? 'an' : 'a'} ${schema.type}`);
    }),
  },
  {
    id: 'wrong-value',
    severity: FindingSeverity.ERROR,
    summary: 'A field has a value that is not one of those that the API knows, or is out of its bounds.',
    notAtSynth: true,
    check: ofSchema('value', (subject, field, value, schema, report) => {
      const near = schema.enum && typeof value === 'string' ? nearest(value, schema.enum) : undefined;
      report(subject, field, value, 'the API does not take it',
        schema.remedy ?? (near ? `write '${near}'` : schema.enum ? `use one of ${schema.enum.join(', ')}` : schema.format === 'date-time' ? time(String(value))!
          : `use a number from ${schema.minimum ?? '…'} to ${schema.maximum ?? '…'}`));
    }),
  },
];
