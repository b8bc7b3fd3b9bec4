/** What stands in the texts of the skill as `{{name argument}}`, written from the definitions. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { COMMANDS } from '../../api/commands';
import { KINDS } from '../../api/model';
import { CONDITION, VERSION } from '../../api/vocabulary';
import { KIND_NAMES, MISTAKES } from '../../src/findings/mistakes';
import { type CommandFacts, ENUMS, type Field, ROOT, STRUCTS, fieldsOf, staticFunctions, typed } from './facts';

const { repository } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { readonly repository: { readonly url: string } };
/** Where the documents of this repository can be read. */
const DOCUMENTS = `${repository.url.replace(/\.git$/, '')}/blob/main`;

/** Structs that others contain whole; these say so, in place of the props. */
const BASES = ['SandboxPodProps', 'AgentSandboxObjectProps', 'ObjectMetadataProps'];
/** The structs of the constructs that most apps use. All that they reach is listed with them. */
const ROOTS = ['SandboxProps', 'SandboxTemplateProps', 'SandboxWarmPoolProps', 'SandboxClaimProps'];
/** Classes whose functions make values for these structs. */
const VALUES = ['Isolation', 'SandboxNetwork', 'NetworkPeer', 'NetworkPort', 'Lifetime', 'Probe', 'SandboxVolume', 'SandboxTemplate', 'SandboxWarmPool'];

/** The address of a file of this repository. Throws when there is none. */
export function addressOf(file: string): string {
  if (!fs.existsSync(path.join(ROOT, file))) {
    throw new Error(`there is no ${file}`);
  }
  return `${DOCUMENTS}/${file}`;
}

/** A text with its directives carried out. */
export function expanded(text: string, commands: readonly CommandFacts[]): string {
  const directives: Record<string, (argument: string) => string> = {
    'kinds': kinds,
    'fields': () => [...KINDS.map(({ kind }) => fieldList(kind)), sharedFields()].join('\n\n'),
    'conditions': () => `\`type\` (${Object.values(CONDITION).map(type => `\`${type}\``).join(', ')}), \`status\`, \`reason\`, \`message\`, \`lastTransitionTime\`, \`observedGeneration\``,
    'structs': structs,
    'functions': () => VALUES.flatMap(name => `* ${staticFunctions().get(name)!.map(text => `\`${text}\``).join(', ').replaceAll(`, \`${name}.`, ', `.')}`).join('\n'),
    'enums': enums,
    'mistakes': mistakes,
    'wrong-kinds': () => [...new Set(Object.values(KIND_NAMES))].map(right => `${Object.keys(KIND_NAMES).filter(wrong => KIND_NAMES[wrong] === right).join(', ')} (meant is \`${right}\`)`).join(', '),
    'commands': () => commandList(commands),
    'snippet': snippet,
    'sdk': sdk,
    'doc': file => (addressOf(file), `\`${file}\``),
    'base': () => DOCUMENTS,
  };
  return text.replace(/\{\{([\w-]+)(?: ([^}]*))?\}\}/g, (whole, name: string, argument = '') => {
    if (!Object.hasOwn(directives, name)) {
      throw new Error(`${whole} is no directive: use ${Object.keys(directives).join(', ')}`);
    }
    return directives[name](argument);
  });
}

function kinds(): string {
  return ['| kind | apiVersion | short for kubectl | is |', '|---|---|---|---|',
    ...KINDS.map(({ kind, group, shortNames, description }) => `| \`${kind}\` | \`${group}/${VERSION}\` | \`${shortNames[0]}\` | ${description} |`)].join('\n');
}

/** Fields that hold the same in several kinds, which are listed once. */
const SHARED = /^(.*\b(?:podTemplate|volumeClaimTemplates\[\]))(\..*)$/;

function fieldList(kind: string): string {
  const { group } = KINDS.find(each => each.kind === kind)!;
  const lines = fieldsOf(kind).filter(({ path: name }) => !SHARED.test(name)).map(fieldLine);
  return [`## ${kind}`, '', `\`apiVersion: ${group}/${VERSION}\``, '', ...lines].join('\n');
}

function sharedFields(): string {
  const lines = fieldsOf('Sandbox').filter(({ path: name }) => SHARED.test(name)).map(fieldLine);
  return ['## Below `spec.podTemplate` and `spec.volumeClaimTemplates` of every kind', '', ...lines].join('\n');
}

function fieldLine({ path: name, type, required, schema: { description = '', default: value, minimum } }: Field): string {
  const notes = [type, required && 'required', value !== undefined && `default ${value}`, minimum !== undefined && `at least ${minimum}`].filter(note => note);
  return `* \`${name}\` (${notes.join(', ')})${/^(spec|status)\.[^.]+$/.test(name) && description ? `: ${firstSentences(description)}` : ''}`;
}

/** The sentences of a text, as many as are short. */
function firstSentences(text: string): string {
  return text.length <= 100 ? text : text.slice(0, text.lastIndexOf('. ', 100) + 1) || text;
}

function structs(): string {
  const seen: string[] = [];
  const visit = (type: string): void => {
    if (type in STRUCTS && !type.startsWith('l1.') && !seen.includes(type)) {
      seen.push(type);
      Object.values(STRUCTS[type]).forEach(each => each.match(/[\w.]+/g)?.forEach(visit));
    }
  };
  [...BASES, ...ROOTS].forEach(visit);
  return seen.map(name => {
    const bases = BASES.filter(base => base !== name && Object.keys(STRUCTS[base]).every(prop => prop in STRUCTS[name]));
    // A base that another one contains is said by that.
    const said = bases.filter(base => !bases.some(other => other !== base && Object.keys(STRUCTS[base]).every(prop => prop in STRUCTS[other])));
    const own = Object.entries(STRUCTS[name]).filter(([prop]) => !said.some(base => prop in STRUCTS[base])).map(([prop, type]) => typed(prop, type));
    return `**${name}**: \`${own.join(', ')}\`${said.map(base => `, and \`${base}\``).join('')}`;
  }).join('\n\n');
}

function enums(): string {
  const reached = ['Relaxation', 'ClaimOverrides', 'UpdateStrategy', 'ShutdownPolicy', 'KataHypervisor'];
  return reached.map(name => `* \`${name}\`: ${Object.keys(ENUMS[name]).map(member => `\`${name}.${member}\``).join(', ').replaceAll(`\`${name}.`, '`.')}`).join('\n');
}

function mistakes(): string {
  const rows = new Map<string, { kinds: string; instead: string; lines: string; fields: string[] }>();
  for (const { kinds: of, field, instead, lines } of MISTAKES) {
    const key = `${of}|${instead}|${lines}`;
    const row = rows.get(key) ?? { kinds: of?.join(', ') ?? 'any', instead, lines, fields: [] };
    row.fields.push(field);
    rows.set(key, row);
  }
  return ['| kind | not | but |', '|---|---|---|',
    ...[...rows.values()].map(({ kinds: of, fields, instead, lines }) => `| ${of} | ${fields.map(field => `\`${field.replace('spec.', '')}\``).join(', ')} | ${/^spec\.[\w.]+$/.test(instead) ? `\`${instead}\`` : `${instead}${lines.startsWith('kind: ') ? '' : `: \`${lines}\``}`} |`)].join('\n');
}

function commandList(all: readonly CommandFacts[]): string {
  const isAnalysis = ({ name }: CommandFacts) => COMMANDS.some(command => name.endsWith(` ${command.name}`)) || name.endsWith(' doctor');
  const [commands, analysis] = [all.filter(command => !isAnalysis(command)), all.filter(isAnalysis)];
  const counts = new Map<string, number>();
  commands.forEach(({ options }) => options.forEach(({ flags }) => counts.set(flags, (counts.get(flags) ?? 0) + 1)));
  const [first] = commands;
  const isCommon = (flags: string) => counts.get(flags)! > commands.length / 2;
  const list = (options: CommandFacts['options']) => options.map(({ flags, description }) => `  * \`${flags}\` ${description}`);
  const described = new Set<string>();
  return [
    ...commands.flatMap(({ name, parameters, description, options }) => {
      const own = options.filter(({ flags }) => !isCommon(flags));
      const again = own.filter(({ flags, description: words }) => described.has(`${flags} ${words}`));
      own.forEach(({ flags, description: words }) => described.add(`${flags} ${words}`));
      return [
        `* \`${[name, parameters].filter(text => text).join(' ')}\`: ${description}`, ...list(own.filter(each => !again.includes(each))),
        ...(again.length > 0 ? [`  * as above: ${again.map(({ flags }) => `\`${flags}\``).join(', ')}`] : []),
      ];
    }),
    '', 'Connection and output, for every command that talks to the cluster:', '', ...list(first.options.filter(({ flags }) => isCommon(flags))).map(line => line.trimStart()),
    '', `For manifests, or a cluster with \`--cluster\` (package \`cdk8s-agent-sandbox\`): ${
      analysis.map(({ name }) => `\`${name}\``).filter(name => !/import|drift|graph|diff|project/.test(name)).join(', ')}.`,
  ].join('\n');
}

/** The first snippet of TypeScript below a heading of a document: `README.md#A first app`. */
function snippet(argument: string): string {
  const [file, heading] = argument.split('#');
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  const start = new RegExp(`^#+ ${heading}$`, 'm').exec(text)?.index;
  const found = start === undefined ? undefined : /^```ts[^\n]*\n(.*?)^```$/ms.exec(text.slice(start).split(/\n#+ .*/).slice(0, 2).join(''));
  if (!found) {
    throw new Error(`${file} has no snippet below the heading "${heading}"`);
  }
  return `\`\`\`ts\n${found[1]}\`\`\``;
}

/** The body of `main` in sdk.ts, with the imports. */
function sdk(): string {
  const text = fs.readFileSync(path.join(__dirname, 'sdk.ts'), 'utf8');
  const imports = text.split('\n').filter(line => line.startsWith('import ')).join('\n');
  const [, body] = /Promise<void> \{\n(.*)^\}$/ms.exec(text)!;
  return `\`\`\`js\n${imports}\n\n${body.replace(/^ {2}/gm, '')}\`\`\``;
}
