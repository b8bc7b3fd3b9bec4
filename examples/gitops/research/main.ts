import { App, Chart, Duration, YamlOutputType } from 'cdk8s';
import { Lifetime, SandboxClaim, SandboxWarmPool } from 'cdk8s-agent-sandbox';

// A folder per chart, a file per object.
const app = new App({ yamlOutputType: YamlOutputType.FOLDER_PER_CHART_FILE_PER_RESOURCE });
const chart = new Chart(app, 'claims', { namespace: 'research', labels: { team: 'research' } });

// The platform's: known here by name only, so this repository needs nothing from theirs.
const pool = SandboxWarmPool.fromName('python-pool');

for (const work of ['reproduce-results', 'sweep-parameters']) {
  new SandboxClaim(chart, work, { pool, lifetime: Lifetime.afterFinished(Duration.hours(8)) });
}

app.synth();
