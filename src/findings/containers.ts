import { FindingSeverity } from './finding';
import { blueprints, containersOf, listOf } from './pods';
import type { Rule, World, Subject } from './world';

const POD = 'spec.podTemplate.spec';

/** Names of variables whose value should come from a Secret. @internal */
export const SECRET_NAME = /(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(_|$)/i;
/** Endings of such names that say where a secret is, or about it, and not what it is. */
const ABOUT_SECRET = /_(FILE|PATH|DIR|URL|URI|ENDPOINT|NAME|HEADER|TTL|TYPE|ISSUER|AUDIENCE|ENABLED|LENGTH|LIMIT|COUNT)$/i;
/** Values that say nothing by themselves: references, paths, addresses, numbers, words of settings, placeholders. */
const NO_SECRET = /^$|\$[({]|^[./~]|^https?:\/\/|^\d+$|^(true|false|yes|no|on|off|none|null|required|optional|default|changeme|xxx+)$|^<.*>$|REPLACE/i;

/** Secrets by their form, whatever holds them. */
const SECRET_FORMS: ReadonlyArray<readonly [form: RegExp, what: string]> = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
  [/\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+/, 'a token (JWT)'],
  [/\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|sk-[\w-]{20,}|AIza[\w-]{30,}|A(KI|SI)A[A-Z0-9]{16})\b/, 'a token of a service'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@$]*:[^\s/@$]+@/i, 'an address with a password'],
];

/** What is secret about a text, by its form. */
function secretIn(text: unknown): string | undefined {
  return typeof text === 'string' ? SECRET_FORMS.find(([form]) => form.test(text))?.[1] : undefined;
}

const FROM_SECRET = 'put it into a Secret, and refer to that: EnvSource.secretKey(…), or valueFrom: {secretKeyRef: {name: …, key: …}}';

/** Variables whose text is a secret, by its form or by the name of the variable. */
function secretVariables(env: unknown): [name: string, what: string][] {
  return listOf(env).flatMap(({ name, value }: any): [string, string][] => {
    const isNamed = typeof value === 'string' && SECRET_NAME.test(String(name)) && !ABOUT_SECRET.test(String(name)) && !NO_SECRET.test(value);
    const what = secretIn(value) ?? (isNamed ? 'a secret, by the name of the variable' : undefined);
    return what ? [[String(name), what]] : [];
  });
}

/** Programs and arguments that are run: in a container, its probes and its hooks. */
function commandsOf(container: any): [field: string, command: unknown][] {
  const handlers = [
    ['livenessProbe', container.livenessProbe], ['readinessProbe', container.readinessProbe], ['startupProbe', container.startupProbe],
    ['lifecycle.postStart', container.lifecycle?.postStart], ['lifecycle.preStop', container.lifecycle?.preStop],
  ] as const;
  return [['command', container.command], ...handlers.map(([name, handler]): [string, unknown] => [`${name}.exec.command`, handler?.exec?.command])];
}

/** Calls for each container of a Sandbox or template, with its path. */
function eachContainer(world: World, handle: (subject: Subject, path: string, container: any) => void): void {
  for (const subject of blueprints(world)) {
    for (const container of containersOf(subject.spec.podTemplate?.spec)) {
      handle(subject, `${POD}.container '${container?.name}'`, container ?? {});
    }
  }
}

/** Rules about what is in the containers of a Pod, and between them. */
export const CONTAINER_RULES: readonly Rule[] = [
  {
    id: 'secret-in-manifest',
    severity: FindingSeverity.WARNING,
    summary: 'A variable, a command or an address has a secret as its text, where everyone can read it who reads the manifest.',
    check: (world, report) => {
      // The value itself is never shown.
      eachContainer(world, (subject, path, container) => {
        secretVariables(container.env).forEach(([name, what]) => report(subject, `${path}.env['${name}']`, undefined, `its value is ${what}`, FROM_SECRET));
        for (const [field, command] of [...commandsOf(container), ['args', container.args] as const]) {
          listOf(command).forEach((text, index) => secretIn(text)
            && report(subject, `${path}.${field}[${index}]`, undefined, `it has ${secretIn(text)}`, `${FROM_SECRET}; $(NAME) in a command stands for a variable`));
        }
      });
      for (const claim of world.of('SandboxClaim').filter(each => each.isOurs)) {
        secretVariables(claim.spec.env).forEach(([name, what]) => report(claim, `spec.env['${name}']`, undefined, `its value is ${what}`, 'give the template the variable, from a Secret'));
      }
      for (const scaler of world.of('ScaledObject')) {
        listOf(scaler.spec.triggers).forEach((trigger, index) => secretIn(trigger?.metadata?.serverAddress)
          && report(scaler, `spec.triggers[${index}].metadata.serverAddress`, undefined, 'it has a password', 'name a TriggerAuthentication: KedaAuthentication'));
      }
    },
  },
  {
    id: 'command-in-one-string',
    severity: FindingSeverity.WARNING,
    summary: 'The first item of a command, which is the name of the program, has arguments in it: there is no such program.',
    check: (world, report) => eachContainer(world, (subject, path, container) => {
      for (const [field, command] of commandsOf(container)) {
        const program = listOf(command)[0];
        if (typeof program === 'string' && /^\S+ \S/.test(program) && !program.startsWith('/') && !/^[A-Za-z]:\\/.test(program)) {
          report(subject, `${path}.${field}[0]`, program, 'this is the name of the program, and no shell splits it',
            `write one item for each word: ${JSON.stringify(program.split(/\s+/)).replace(/"/g, "'").replace(/,/g, ', ')}`);
        }
      }
    }),
  },
  {
    id: 'port-twice',
    severity: FindingSeverity.WARNING,
    summary: 'Two containers of a Pod, which share one network, listen on one port: one of them does not start.',
    check: (world, report) => {
      for (const subject of blueprints(world)) {
        const spec = subject.spec.podTemplate?.spec;
        const seen = new Map<string, string>();
        // Init containers are gone when the others start, unless they are sidecars.
        for (const container of [...listOf(spec?.initContainers).filter(each => each?.restartPolicy === 'Always'), ...listOf(spec?.containers)]) {
          for (const port of listOf(container?.ports)) {
            const key = `${port?.containerPort}/${port?.protocol ?? 'TCP'}`;
            const other = seen.get(key);
            if (other !== undefined && other !== container.name) {
              report(subject, `${POD}.container '${container.name}'.ports`, key, `container '${other}' listens there, too, and the containers of a Pod share one network`, 'use another port');
            }
            seen.set(key, other ?? container.name);
          }
        }
      }
    },
  },
  {
    id: 'unmounted-volume',
    severity: FindingSeverity.WARNING,
    summary: 'No container mounts a volume of a Sandbox or template.',
    check: (world, report) => {
      for (const subject of blueprints(world)) {
        const spec = subject.spec.podTemplate?.spec;
        const mounts = containersOf(spec).flatMap(container => [...listOf(container?.volumeMounts), ...listOf(container?.volumeDevices)]);
        const used = new Set(mounts.map(each => each?.name));
        const declared = [
          ...listOf(spec?.volumes).map((volume, index) => [`${POD}.volumes[${index}]`, volume?.name]),
          ...listOf(subject.spec.volumeClaimTemplates).map((volume, index) => [`spec.volumeClaimTemplates[${index}]`, volume?.metadata?.name]),
        ];
        for (const [field, name] of declared.filter(([, each]) => each !== undefined && !used.has(each))) {
          report(subject, field, name, 'no container mounts it', 'mount it, or leave it out');
        }
      }
    },
  },
  {
    id: 'port-name',
    severity: FindingSeverity.ERROR,
    summary: 'An ingress rule of a template names a port that no container of it has: it lets nothing in.',
    check: (world, report) => {
      for (const subject of blueprints(world)) {
        const names = new Set(containersOf(subject.spec.podTemplate?.spec).flatMap(container => listOf(container?.ports).map(port => port?.name)));
        listOf(subject.spec.networkPolicy?.ingress).forEach((rule, index) => listOf(rule?.ports).forEach((port, at) => {
          if (typeof port?.port === 'string' && !names.has(port.port)) {
            report(subject, `spec.networkPolicy.ingress[${index}].ports[${at}].port`, port.port, 'no container has a port of this name, so the rule lets nothing in',
              'give the port of the container this name, or write its number');
          }
        }));
      }
    },
  },
  {
    id: 'volume-of-one',
    severity: FindingSeverity.WARNING,
    summary: 'The Pods of a template that a pool uses mount one PersistentVolumeClaim of this app, which only one node, or one Pod, can have.',
    check: (world, report) => {
      for (const pool of world.of('SandboxWarmPool').filter(each => each.isOurs)) {
        const template = world.beside(pool, 'SandboxTemplate', pool.spec.sandboxTemplateRef?.name);
        for (const volume of listOf(template?.spec.podTemplate?.spec?.volumes)) {
          const name = volume?.persistentVolumeClaim?.claimName;
          const claim = name === undefined ? undefined : world.beside(pool, 'PersistentVolumeClaim', name);
          const modes = listOf(claim?.spec.accessModes);
          if (modes.length > 0 && modes.every(mode => mode === 'ReadWriteOnce' || mode === 'ReadWriteOncePod')) {
            report(template!, `${POD}.volumes['${volume.name}']`, name, `all Sandboxes of the pool '${pool.name}' would share it, and its access mode is ${modes.join(', ')} (${claim!.place})`,
              'give each Sandbox a volume of its own: SandboxVolume.persistent(…), or use a claim with ReadWriteMany or ReadOnlyMany');
          }
        }
      }
    },
  },
];
