import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser as Chromium, BrowserContext, Page } from 'playwright-core';
import { messageOf } from '../errors.js';
import { DomainPolicy } from './policy.js';
import { EgressProxy } from './proxy.js';
import { chromiumSandboxProblem, SANDBOX_REMEDY } from './sandbox.js';

/** The size that the model was made for. */
export const SCREEN = { width: 1440, height: 900 };

/** No traffic of its own, and none beside the proxy: QUIC and WebRTC use UDP. */
const ARGUMENTS = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-domain-reliability', '--no-pings', '--disable-dev-shm-usage', '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
];
/** Variables that the browser gets: everything else may be a secret. */
const PASSED_ON = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];
const ACTION_TIMEOUT_MS = 10_000;
const NAVIGATION_TIMEOUT_MS = 30_000;
/** The screenshot is taken even if the page is still loading. */
const SETTLE_MS = 3000;
const PAINT_MS = 200;

export interface BrowserOptions {
  /** Path of the program, or a name in PATH. */
  readonly executable: string;
  /** Chromium's own sandbox; needs user namespaces, and a user who is not root. */
  readonly sandbox: boolean;
  readonly allowedDomains: readonly string[];
}

/** The browser did not start. */
class BrowserStartError extends Error {
  constructor({ executable, sandbox }: BrowserOptions, cause: unknown) {
    const reasons = messageOf(cause).split('\n').filter(line => /error|fatal|no such|enoent|doesn't exist|sandbox/i.test(line)).slice(0, 3);
    const remedy = sandbox ? `; its sandbox needs user namespaces and a user who is not root: ${SANDBOX_REMEDY}` : '';
    super(`${executable} did not start: ${reasons.map(line => line.trim()).join(' ')}${remedy}`);
    this.name = 'BrowserStartError';
  }
}

/** A browser with an empty profile, for one run. */
export class Browser {
  private readonly pages: Page[] = [];

  private constructor(
    private readonly chromium: Chromium,
    private readonly context: BrowserContext,
    private readonly proxy: EgressProxy,
    private readonly home: string,
  ) {
    context.on('page', page => this.add(page));
  }

  /** Starts a browser. Throws `BrowserStartError` and `DomainPatternError`. */
  public static async launch(options: BrowserOptions): Promise<Browser> {
    // Only where it is needed: it is the largest dependency.
    const { chromium } = await import('playwright-core');
    const problem = options.sandbox ? await chromiumSandboxProblem() : undefined;
    if (problem !== undefined) {
      throw new BrowserStartError(options, new Error(`sandbox: ${problem}`));
    }
    const proxy = new EgressProxy(new DomainPolicy(options.allowedDomains));
    const home = await mkdtemp(join(tmpdir(), 'browser-'));
    try {
      const env = Object.fromEntries(PASSED_ON.flatMap(name => process.env[name] === undefined ? [] : [[name, process.env[name]!]]));
      const launched = await chromium.launch({
        executablePath: options.executable,
        chromiumSandbox: options.sandbox,
        headless: true,
        args: ARGUMENTS,
        env: { ...env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
        proxy: { server: await proxy.listen() },
        handleSIGINT: false,
        handleSIGTERM: false,
        handleSIGHUP: false,
      });
      const context = await launched.newContext({ viewport: SCREEN, serviceWorkers: 'block', acceptDownloads: false });
      context.setDefaultTimeout(ACTION_TIMEOUT_MS);
      context.setDefaultNavigationTimeout(NAVIGATION_TIMEOUT_MS);
      const browser = new Browser(launched, context, proxy, home);
      await context.newPage();
      return browser;
    } catch (error) {
      await proxy.close();
      await rm(home, { recursive: true, force: true });
      throw new BrowserStartError(options, error);
    }
  }

  public async close(): Promise<void> {
    await this.chromium.close().catch(() => undefined);
    await this.proxy.close();
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The page in front: the newest that is open. */
  public get page(): Page {
    return this.pages.at(-1)!;
  }

  public get url(): string {
    return this.page.url();
  }

  /** Hosts that pages asked for in vain. */
  public get refused(): readonly string[] {
    return [...this.proxy.refused];
  }

  /** Lets the page come to rest, and takes a picture (PNG, base64). */
  public async screenshot(): Promise<string> {
    await this.page.waitForLoadState('load', { timeout: SETTLE_MS }).catch(() => undefined);
    await this.page.waitForTimeout(PAINT_MS);
    return (await this.page.screenshot({ type: 'png', animations: 'disabled', caret: 'initial' })).toString('base64');
  }

  private add(page: Page): void {
    this.pages.push(page);
    page.once('close', () => {
      this.pages.splice(this.pages.indexOf(page), 1);
      if (this.pages.length === 0) {
        void this.context.newPage().catch(() => undefined);
      }
    });
  }
}
