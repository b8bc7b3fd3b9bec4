import { Problems } from './problems';

/**
 * Marks a value of a class of this library, also for another copy of the library in the same program.
 *
 * @internal
 */
export function mark(value: object, brand: string): void {
  Object.defineProperty(value, Symbol.for(`cdk8s-agent-sandbox.${brand}`), { value: true });
}

/**
 * Stops unless `value` is of the class `brand`. The compiler says the same, but runners such as tsx do not ask it, and
 * a wrong value here would mean a sandbox without protection.
 *
 * @throws with everything that is wrong so far
 */
function requireMarked(problems: Problems, prop: string, value: unknown, brand: string, remedy: string): void {
  const marked = typeof value === 'object' && value !== null && Symbol.for(`cdk8s-agent-sandbox.${brand}`) in value;
  if (!marked) {
    const shown = typeof value === 'function' ? 'a function that was not called' : typeof value === 'object' && value !== null ? `of class ${value.constructor?.name}` : value;
    problems.add(prop, shown, remedy);
    problems.throwIfAny();
  }
}

/**
 * Stops unless isolation and network are values of this library.
 *
 * @throws with everything that is wrong so far
 * @internal
 */
export function requireProtection(problems: Problems, isolation: unknown, network: unknown): void {
  requireMarked(problems, 'isolation', isolation, 'Isolation', 'say what keeps the containers apart from the node: Isolation.gvisor(), Isolation.kata(), or Isolation.none()');
  requireMarked(problems, 'network', network, 'SandboxNetwork', 'say what it may talk to: SandboxNetwork.routerOnly(), SandboxNetwork.denyAll() or another preset');
}
