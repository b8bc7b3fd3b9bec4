/** Writes docs/images/posture.png: the page of examples/policy-tests, with what its pull request changes. Needs Chromium. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { parseAllDocuments } from 'yaml';
import { Posture } from '../src';
import { readManifests, synthesize } from './example-apps';

const ROOT = join(__dirname, '..');
const CHROMIUM = process.env.AGENT_CHROMIUM ?? '/usr/bin/chromium';

function postureOf(revision: string): Posture {
  const folder = mkdtempSync(join(tmpdir(), 'posture-'));
  try {
    process.env.REVISION = revision;
    synthesize(join(ROOT, 'examples', 'policy-tests'), folder);
    return Posture.ofManifests([...readManifests(folder).values()].flatMap(text => parseAllDocuments(text).map(document => document.toJS())));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function main(): Promise<void> {
  const html = postureOf('pull-request').toHtml({ title: 'Pull request: internal service', before: postureOf('main'), beforeName: 'main' });
  const browser = await chromium.launch({ executablePath: CHROMIUM, chromiumSandbox: false, args: ['--disable-dev-shm-usage'] });
  const page = await browser.newPage({ viewport: { width: 1180, height: 1180 } });
  await page.setContent(html);
  await page.screenshot({ path: join(ROOT, 'docs', 'images', 'posture.png') });
  await browser.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
