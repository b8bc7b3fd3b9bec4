/** Finds what a text says about the API, the constructs and the command lines that is not so. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { KINDS, OWN } from '../../api/model';
import { DEFAULT_LABEL_DOMAINS } from '../../api/semantics';
import { CONDITION, DEPRECATED_VERSION, EXTENSIONS_GROUP, GROUP, VERSION } from '../../api/vocabulary';
import { checkManifests } from '../../src/findings';
import { MISTAKES } from '../../src/findings/mistakes';
import { type CommandFacts, ENUMS, FLAGS, KUBERNETES_FIELDS, ROOT, STRUCTS, fieldsOf, staticFunctions } from './facts';

/** Words of others that the texts use, as code: of the shell, Kubernetes and Python. */
const FOREIGN = new Set(['map', 'kplus', 'l1', 'cdk8s', 'cdk8s-plus-33', 'cdk8s-agent-sandbox', 'Duration', '(scope, id, props)', 'create', 'sandboxes/proxy', '[]', '{}', '?', "['sh', '-c', '…']"]);
/** The programs of the constructs' package, with what may follow. */
const CHECKER = /^(?:npx )?agent-sandbox-check(?: (?:FOLDER|diff OLD NEW))?$/;

/** What is false in a Markdown text, one line each. */
export function falseStatements(text: string, commands: readonly CommandFacts[]): string[] {
  const wrong: string[] = [];
  const prose = text.replace(/^```(\w*)[^\n]*\n(.*?)^```$/gms, (_, language: string, code: string) => {
    if (language === 'yaml') {
      wrong.push(...falseYaml(code));
    } else if (language === 'sh') {
      wrong.push(...code.split('\n').filter(line => line.trim() !== '').flatMap(line => falseCommand(line.trim(), commands) ?? []));
    }
    return '';
  });
  const known = knownWords(commands);
  for (const line of prose.split('\n')) {
    for (const [, span] of line.matchAll(/`([^`]+)`/g)) {
      // The rows of wrong fields, whose first and second column say what not to write.
      if (line.startsWith('| ') && MISTAKES.some(({ field, instead, lines }) => [field, field.replace('spec.', ''), instead, lines].includes(span))) {
        continue;
      }
      const problem = /^(npx )?(agent-sandbox |kubectl )/.test(span) ? falseCommand(span, commands) : isKnown(span.replaceAll('\\|', '|'), known) ? undefined : `\`${span}\` is no field, prop, command, flag or file`;
      wrong.push(...(problem === undefined ? [] : [problem].flat()));
    }
  }
  return wrong;
}

function falseYaml(code: string): string[] {
  return checkManifests(parseAllDocuments(code).map(document => ({ manifest: document.toJS(), place: 'YAML' }))).map(({ object, message, remedy }) => `${object}: ${message}; ${remedy}`);
}

/** What is wrong with a command of ours or of kubectl; nothing where there is nothing to say. */
function falseCommand(line: string, commands: readonly CommandFacts[]): string[] | undefined {
  const words = line.replace(/^npx /, '').replace(/ -- .*/, '').split(/\s+/);
  if (words[0] === 'kubectl') {
    return falseKubectl(line, words);
  }
  if (words[0] !== 'agent-sandbox') {
    return [`"${line}" is no command of kubectl or agent-sandbox`];
  }
  const command = commands.find(({ name }) => name === `agent-sandbox ${words[1]}`);
  if (!command) {
    return [`"${line}": agent-sandbox has no command ${words[1]}`];
  }
  const flags = new Set(command.options.flatMap(({ flags: each }) => each.match(/(?<![\w-])--?[a-z][\w-]*/g)!));
  return words.slice(2).filter(word => /^--?[a-z]/.test(word) && !flags.has(word.split('=')[0])).map(word => `"${line}": agent-sandbox ${words[1]} has no ${word}`);
}

const RESOURCES = new Set(KINDS.flatMap(({ plural, singular, shortNames }) => [plural, singular, ...shortNames]));

function falseKubectl(line: string, words: readonly string[]): string[] {
  const wrong: string[] = [];
  for (const resource of words.flatMap(word => (/^(sandbox|swp)/.test(word) ? word.split('/')[0].split(',') : []))) {
    if (!RESOURCES.has(resource) && words[1] !== 'exec') {
      wrong.push(`"${line}": there is no resource ${resource}`);
    }
  }
  const condition = /--for=condition=(\w+)/.exec(line)?.[1];
  if (condition !== undefined && !Object.values<string>(CONDITION).includes(condition)) {
    wrong.push(`"${line}": there is no condition ${condition}`);
  }
  const field = /jsonpath=\{\.([\w.]+)\}/.exec(line)?.[1];
  if (field !== undefined && !KINDS.some(({ kind }) => fieldsOf(kind).some(each => each.path === field))) {
    wrong.push(`"${line}": there is no field ${field}`);
  }
  return wrong;
}

function knownWords(commands: readonly CommandFacts[]): Set<string> {
  const fields = KINDS.flatMap(({ kind }) => fieldsOf(kind));
  return new Set([
    ...FOREIGN, ...KUBERNETES_FIELDS, ...FLAGS, ...RESOURCES,
    GROUP, EXTENSIONS_GROUP, VERSION, DEPRECATED_VERSION, ...KINDS.flatMap(({ kind, group }) => [kind, `kind: ${kind}`, `${group}/${VERSION}`, `apiVersion: ${group}/${VERSION}`]),
    ...fields.flatMap(({ path: whole, schema }) => [...whole.split('.').map((_, index, parts) => parts.slice(index).join('.')), `.${whole}[]`, ...(schema.enum ?? [])]),
    ...Object.keys(OWN.Condition.properties!), 'metadata.generation', ...DEFAULT_LABEL_DOMAINS, 'true', 'false', 'required',
    ...Object.values(CONDITION), 'none', 'default',
    ...Object.entries(STRUCTS).flatMap(([name, props]) => [name, ...Object.keys(props)]),
    ...Object.entries(ENUMS).flatMap(([name, members]) => [name, ...Object.keys(members).flatMap(member => [`${name}.${member}`, `.${member}`])]),
    ...[...staticFunctions().values()].flat().flatMap(call => [call, call.slice(call.indexOf('.')), call.replace(/\(.*/, ''), call.replace(/\(.*/, '()')]),
    'allowEgressTo', 'allowIngressFrom',
    ...commands.flatMap(({ options }) => options.flatMap(({ flags }) => [flags, ...flags.match(/--[\w-]+/g)!])),
    'agent-sandbox',
  ]);
}

/** `port: number, name?`, as the lists of props have it. */
function isListOfProps(span: string, known: ReadonlySet<string>): boolean {
  return span.split(/, (?=\w+\??(?:: |, |$))/).every(each => known.has(/^(\w+)\??(?:: .+)?$/.exec(each)?.[1] ?? ''));
}

function isKnown(span: string, known: ReadonlySet<string>): boolean {
  return known.has(span) || CHECKER.test(span) || span === 'npx agent-sandbox-client' || isListOfProps(span, known) || (/^[\w./-]+\.\w+$/.test(span) && fs.existsSync(path.join(ROOT, span)));
}
