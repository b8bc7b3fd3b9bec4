import type { Construct } from 'constructs';
import { dnsLabel, dnsSubdomain, type Problems } from '../checks';
import { ROUTER_NAME, ROUTER_SERVICE } from './names';
import { object } from './objects';
import { ROUTER_ARGS } from './router-flags';
import type { RouterGatewayProps } from './router-props';

const GATEWAY_API = 'gateway.networking.k8s.io/v1';

/** @internal */
export function checkGateway(problems: Problems, props: RouterGatewayProps, allowHttpTokens: boolean): void {
  if (!allowHttpTokens) {
    problems.add('allowHttpTokens', false, 'the Gateway ends TLS and speaks plain HTTP to the router, which would refuse every token: set it to true');
  }
  const gatewayProblems = problems.at('gateway');
  gatewayProblems.check('className', props.className, dnsSubdomain);
  gatewayProblems.check('name', props.name, dnsSubdomain);
  gatewayProblems.check('namespace', props.namespace, dnsLabel);
  if (props.className === undefined && props.name === undefined) {
    gatewayProblems.add('name', props.name, 'name an existing Gateway, or give className for one of your own');
  }
  if (props.className !== undefined && props.namespace !== undefined) {
    gatewayProblems.add('namespace', props.namespace, 'the Gateway is in the namespace of the chart: leave it or className out');
  }
  if (props.className === undefined && props.tlsSecret) {
    gatewayProblems.add('tlsSecret', props.tlsSecret.name, 'an existing Gateway has its own certificate: leave it out, or give className');
  }
  (props.hostnames ?? []).forEach((host, index) => gatewayProblems.check(`hostnames[${index}]`, host.replace(/^\*\./, ''), dnsSubdomain));
}

/** @internal */
export function gateway(scope: Construct, props: RouterGatewayProps): void {
  const name = props.name ?? ROUTER_NAME;
  if (props.className !== undefined) {
    const listener = props.tlsSecret
      ? { name: 'https', port: 443, protocol: 'HTTPS', tls: { mode: 'Terminate', certificateRefs: [{ name: props.tlsSecret.name }] } }
      : { name: 'http', port: 80, protocol: 'HTTP' };
    object(scope, GATEWAY_API, 'Gateway', { name }, { spec: { gatewayClassName: props.className, listeners: [listener] } });
  }
  object(scope, GATEWAY_API, 'HTTPRoute', { name: ROUTER_NAME }, {
    spec: {
      parentRefs: [{ name, namespace: props.namespace }],
      hostnames: props.hostnames,
      rules: [{ backendRefs: [{ name: ROUTER_SERVICE, port: ROUTER_ARGS.http }] }],
    },
  });
}
