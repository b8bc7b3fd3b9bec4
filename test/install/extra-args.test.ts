import { ControllerImplementation } from '../../src';
import { takenControllerFlags } from '../../src/install/controller';
import { TAKEN_ROUTER_FLAGS } from '../../src/install/router-flags';
import { messageOf } from '../helpers';
import { ROUTER, controllerPod, routerPod } from './helpers';

const spellings = (flag: string) => [`--${flag}=1`, `--${flag}`, `-${flag}`, `-${flag}=1`, ` --${flag} 1`];
const controller = (...extraArgs: string[]) => () => controllerPod({ extraArgs });
const router = (...extraArgs: string[]) => () => routerPod({ extraArgs });

test.each([...takenControllerFlags(ControllerImplementation.BUNDLED)])('the flag --%s of the controller has a prop, so further arguments cannot be it', (flag, props) => {
  for (const arg of spellings(flag)) {
    expect(messageOf(controller('--other=1', arg))).toContain(`extraArgs[1] is '${arg}': use the prop ${props.join(' or ')}`);
  }
});

test.each([...TAKEN_ROUTER_FLAGS])('the flag --%s of the router has a prop, so further arguments cannot be it', (flag, props) => {
  for (const arg of spellings(flag)) {
    expect(messageOf(router(arg))).toContain(`router.extraArgs[0] is '${arg}': use the prop ${props.join(' or ')}`);
  }
});

test('every flag that the installation writes is one of these', () => {
  const secret = (name: string): any => ({ kind: 'Secret', name });
  const args: string[] = routerPod({
    tlsSecret: secret('tls'), scopedTokenSecret: secret('keys'), staticTokenSecret: secret('static'), allowHttpTokens: true,
    browser: { domain: 'sandboxes.example.com', sessionSecret: secret('session'), oidc: { issuerUrl: 'https://id.example.com', clientId: 'router', clientSecret: secret('oidc') } },
  }, { namespaces: ['a'] }).spec.containers[0].args;
  const taken = (known: ReadonlyMap<string, unknown>) => (arg: string) => known.has(arg.replace(/^--|=.*$/g, ''));
  expect(args.filter(arg => !taken(TAKEN_ROUTER_FLAGS)(arg))).toEqual([]);
  const controllerArgs: string[] = controllerPod({ namespaces: ['a'] }).spec.containers[0].args;
  expect(controllerArgs.filter(arg => !taken(takenControllerFlags(ControllerImplementation.BUNDLED))(arg))).toEqual([]);
});

test('a flag of the original that is always there is no further argument', () => {
  const props = { implementation: ControllerImplementation.UPSTREAM_V0_5_6, image: 'registry.example/controller:v0.5.6', extraArgs: ['--enable-webhook'] };
  expect(messageOf(() => controllerPod(props))).toContain("extraArgs[0] is '--enable-webhook': it is on the command line already: leave it out");
});

test('a further argument occurs once, and values of others are no flags', () => {
  expect(messageOf(controller('--one=1', '-one'))).toContain("extraArgs[1] is '-one': the flag is in the list already: remove one");
  expect(controllerPod({ extraArgs: ['--one', 'workers', '--two=--leader-elect'] }).spec.containers[0].args).toEqual(expect.arrayContaining(['--one', 'workers', '--two=--leader-elect']));
  expect(routerPod({ extraArgs: ['--idle-timeout=5s'] }).spec.containers[0].image).toBe(ROUTER.image);
});
