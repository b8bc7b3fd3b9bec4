import { join } from 'node:path';
import { ApiObject, App, Chart, Testing } from 'cdk8s';
import {
  Isolation, NetworkPort, Sandbox, SandboxClaim, SandboxNamespace, SandboxNetwork, SandboxTemplate, SandboxWarmPool,
} from '../../src';

/** Objects of a tenant: its namespace with quota and policies, templates, pools, claims, and Sandboxes with a policy each. */
const PER_TENANT = 100;
/** What is synthesized is not committed. */
const OUTDIR = join(__dirname, '..', 'work', 'check');
const IMAGE = 'registry.example/python@sha256:0123';

/** An app of `count` objects: tenants that differ in names, and in what one of their templates may reach. */
export function appOf(count: number): App {
  const app = new App({ outdir: OUTDIR });
  for (let tenant = 0, left = count; left > 0; tenant++, left -= PER_TENANT) {
    addTenant(app, tenant, Math.min(left, PER_TENANT));
  }
  return app;
}

/** The manifests of such an app; exactly `count`. */
export function manifestsOf(count: number): any[] {
  const app = appOf(count);
  return app.charts.flatMap(chart => Testing.synth(chart)).slice(0, count);
}

function addTenant(app: App, tenant: number, most: number): void {
  const namespace = `team-${tenant}`;
  const chart = new Chart(app, namespace, { namespace });
  new SandboxNamespace(chart, 'namespace', { name: namespace });
  const pod = { containers: [{ image: IMAGE, port: 8888, cpu: '250m', memory: '512Mi', runAsUser: 1000 }], isolation: Isolation.gvisor() };
  const networks = [
    SandboxNetwork.routerOnly(), SandboxNetwork.dnsOnly(), SandboxNetwork.publicInternet(),
    SandboxNetwork.publicInternet({ ports: [NetworkPort.tcp(443), NetworkPort.tcp(1024 + tenant)] }),
  ];
  const made = () => chart.node.findAll().filter(each => ApiObject.isApiObject(each)).length;
  for (let index = 0; made() < most; index++) {
    const template = new SandboxTemplate(chart, `template-${index}`, { ...pod, network: networks[index % networks.length] });
    const pool = new SandboxWarmPool(chart, `pool-${index}`, { template, replicas: 2 });
    new SandboxClaim(chart, `claim-${index}`, { pool });
    new Sandbox(chart, `box-${index}`, { ...pod, network: networks[(index + 1) % networks.length] });
  }
}
