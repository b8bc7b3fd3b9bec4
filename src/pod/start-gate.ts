import { checkCalls, definedOnly, integer, portNumber, Problems } from '../checks';
import type { SandboxContainer } from './container-props';

/** Options of a gate before the start of a sandbox's program. */
export interface StartGateOptions {
  /** An image with Node.js on its path: the images of this project have it. */
  readonly image: string;

  /**
   * Host, best as an address, that the sandbox's policy blocks and that answers wherever nothing blocks it.
   *
   * @default - the API server of the cluster (`$KUBERNETES_SERVICE_HOST`)
   */
  readonly canaryHost?: string;

  /**
   * TCP port of the canary.
   *
   * @default - the port of the API server (`$KUBERNETES_SERVICE_PORT`)
   */
  readonly canaryPort?: number;

  /**
   * Seconds after which the gate fails if the canary still answers; the kubelet then starts it again.
   *
   * @default 60
   */
  readonly timeoutSeconds?: number;
}

/** One attempt to connect; what is dropped is answered by nothing. */
const ATTEMPT_MS = 250;

/** Attempts in a row that must fail: one alone may be a packet that got lost. */
const CLOSED_ATTEMPTS = 3;

/**
 * A gate that keeps the program of a sandbox from starting before the Pod's NetworkPolicy is in force.
 *
 * Most network plugins give a new Pod its address first and its policy a moment later. The gate is an init container that
 * tries to connect to a canary until that fails three times in a row. It also tells when policies are not enforced at all:
 * then it never opens.
 */
export class StartGate {
  /**
   * The init container. Put it first in `initContainers`.
   *
   * @param options image and canary
   * @throws if an option is not well-formed
   */
  public static container(options: StartGateOptions): SandboxContainer {
    const problems = Problems.of('StartGate.container');
    if (!options.image) {
      problems.add('image', options.image, 'name an image with Node.js, such as that of the runtime');
    }
    problems.check('canaryPort', options.canaryPort, portNumber);
    const { canaryHost, canaryPort, timeoutSeconds = 60 } = options;
    problems.check('timeoutSeconds', timeoutSeconds, integer(1, 3600));
    problems.throwIfAny();
    return {
      name: 'start-gate',
      image: options.image,
      command: ['node', '-e', SCRIPT],
      env: {
        GATE_TIMEOUT_SECONDS: `${timeoutSeconds}`,
        ...definedOnly({
          GATE_HOST: canaryHost,
          GATE_PORT: canaryPort === undefined ? undefined : `${canaryPort}`,
        }),
      },
      cpu: '50m',
      cpuLimit: '1',
      memory: '64Mi',
    };
  }

  private constructor() {}
}
checkCalls(StartGate);

/** The program of the gate: nothing but Node. */
const SCRIPT = `
const { GATE_HOST, GATE_PORT, GATE_TIMEOUT_SECONDS, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT } = process.env;
const host = GATE_HOST || KUBERNETES_SERVICE_HOST, port = Number(GATE_PORT || KUBERNETES_SERVICE_PORT);
const begin = performance.now(), seconds = Number(GATE_TIMEOUT_SECONDS);
const answers = () => new Promise(resolve => {
  const socket = require('node:net').connect({ host, port });
  const end = open => { socket.destroy(); resolve(open); };
  socket.setTimeout(${ATTEMPT_MS}, () => end(false)).on('connect', () => end(true)).on('error', () => end(false));
});
(async () => {
  for (let closed = 0, reached = 0; closed < ${CLOSED_ATTEMPTS};) {
    const open = await answers();
    [closed, reached] = open ? [0, reached + 1] : [closed + 1, reached];
    if (closed === ${CLOSED_ATTEMPTS}) {
      console.log(\`closed after \${(performance.now() - begin).toFixed(0)} ms; \${host}:\${port} answered \${reached} times\`);
    } else if (performance.now() - begin > seconds * 1000) {
      console.error(\`\${host}:\${port} still answers after \${seconds} s: no NetworkPolicy blocks it, or the network plugin enforces none\`);
      process.exit(1);
    }
    await new Promise(resolve => setTimeout(resolve, open ? 20 : 0));
  }
})();
`.trim();
