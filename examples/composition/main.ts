import { App, Chart } from 'cdk8s';
import { AgenticSandbox } from './agentic-sandbox';

// REPLACE: an application that does not need root, pinned by its digest.
const IMAGE = `registry.example/dashboard@sha256:${'0'.repeat(64)}`;

const app = new App();
const chart = new Chart(app, 'dashboards', { namespace: 'agents' });

new AgenticSandbox(chart, 'sales', { image: IMAGE, port: 8080, host: 'sales.apps.example' });
new AgenticSandbox(chart, 'scratch', { image: IMAGE, port: 8080 });

app.synth();
