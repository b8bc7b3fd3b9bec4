import { Environment, GoogleGenAI, type Content, type FunctionCall, type GenerateContentResponse, type Part } from '@google/genai';
import { definedOnly } from 'agent-sandbox-api';
import { messageOf } from '../errors.js';
import { perform, type Arguments } from './actions.js';
import { Browser } from './browser.js';

export interface AgentOptions {
  readonly apiKey: string | undefined;
  readonly model: string;
  /** Undefined: Google's. */
  readonly baseUrl?: string;
  readonly maxSteps: number;
  readonly timeoutSeconds: number;
  readonly allowedDomains: readonly string[];
  readonly searchUrl: string;
  readonly chromium: string;
  readonly chromiumSandbox: boolean;
}

/** What `/agent` answers. */
export interface AgentResult {
  /** The final text of the model. */
  readonly stdout: string;
  /** One line for each step, and why the run ended early. */
  readonly stderr: string;
  readonly exit_code: number;
}

/** Ends of a run besides success. */
export const EXIT = {
  /** The model, the browser or the configuration failed. */
  failed: 1,
  /** More steps or more time than a run may take. */
  limit: 2,
  /** The model asked for a person's confirmation of its next action, which this runtime cannot give. */
  confirmation: 3,
} as const;

/** Pictures that the model still gets; older ones are left out, since each costs as much as a page of text. */
const KEPT_SCREENSHOTS = 3;
const MODEL_ATTEMPTS = 3;
const MODEL_TIMEOUT_MS = 120_000;

/** Ends a run with a code. */
class RunEnd extends Error {
  constructor(public readonly code: number, message: string) {
    super(message);
    this.name = 'RunEnd';
  }
}

/**
 * Lets the model drive a browser until it answers without asking for an action: picture, question, action, picture. A run ends
 * early when it takes too many steps or too long, when `signal` aborts, and when the model asks for a confirmation.
 *
 * The key is in no output: it is replaced in whatever a server or a library says.
 */
export async function runAgent(query: string, options: AgentOptions, signal: AbortSignal): Promise<AgentResult> {
  const lines: string[] = [];
  const hide = (text: string) => options.apiKey ? text.replaceAll(options.apiKey, '[key]') : text;
  let code = 0;
  let stdout = '';
  const limit = AbortSignal.timeout(options.timeoutSeconds * 1000);
  let browser: Browser | undefined;
  try {
    if (!options.apiKey) {
      throw new RunEnd(EXIT.failed, 'GEMINI_API_KEY was not found in the environment of the runtime');
    }
    if (options.allowedDomains.length === 0) {
      throw new RunEnd(EXIT.failed, 'the browser may reach no host: name them with --agent-allowed-domains or AGENT_ALLOWED_DOMAINS');
    }
    browser = await Browser.launch({ executable: options.chromium, sandbox: options.chromiumSandbox, allowedDomains: options.allowedDomains });
    const run = new Run(query, options, browser, AbortSignal.any([signal, limit]), line => lines.push(line));
    stdout = await run.toEnd();
  } catch (error) {
    const end = limit.aborted ? new RunEnd(EXIT.limit, `not done after ${options.timeoutSeconds} s`)
      : signal.aborted ? new RunEnd(EXIT.failed, 'the run was given up')
        : error instanceof RunEnd ? error : new RunEnd(EXIT.failed, withCause(error));
    lines.push(end.message);
    code = end.code;
  } finally {
    const refused = browser?.refused ?? [];
    if (refused.length > 0) {
      lines.push(`not in the list of allowed domains: ${refused.join(', ')}`);
    }
    await browser?.close();
  }
  return { stdout: hide(stdout), stderr: hide(lines.map(line => `${line}\n`).join('')), exit_code: code };
}

class Run {
  private readonly ai: GoogleGenAI;
  private readonly contents: Content[] = [];

  constructor(
    private readonly query: string, private readonly options: AgentOptions, private readonly browser: Browser,
    private readonly signal: AbortSignal, private readonly note: (line: string) => void,
  ) {
    this.ai = new GoogleGenAI({
      apiKey: options.apiKey,
      vertexai: false,
      httpOptions: { baseUrl: options.baseUrl, retryOptions: { attempts: MODEL_ATTEMPTS }, fetch: ownFetch },
    });
  }

  /** Resolves to the final text of the model. */
  public async toEnd(): Promise<string> {
    const first = await this.abortable(this.browser.screenshot());
    this.contents.push({ role: 'user', parts: [{ text: this.query }, { inlineData: { mimeType: 'image/png', data: first } }] });
    for (let step = 1; step <= this.options.maxSteps; step++) {
      const parts = await this.ask();
      const calls = parts.flatMap(part => part.functionCall ?? []);
      const text = parts.flatMap(part => part.text !== undefined && !part.thought ? part.text : []).join('');
      if (calls.length === 0) {
        return text;
      }
      if (text.trim() !== '') {
        this.note(`step ${step}: ${text.trim().replaceAll('\n', ' ')}`);
      }
      const answers: Part[] = [];
      for (const call of calls) {
        answers.push(await this.act(call, step));
      }
      this.contents.push({ role: 'user', parts: answers });
      forgetScreenshots(this.contents);
    }
    throw new RunEnd(EXIT.limit, `not done after ${this.options.maxSteps} steps`);
  }

  private async ask(): Promise<Part[]> {
    const response: GenerateContentResponse = await this.abortable(this.ai.models.generateContent({
      model: this.options.model,
      contents: this.contents,
      config: {
        tools: [{ computerUse: { environment: Environment.ENVIRONMENT_BROWSER } }],
        abortSignal: AbortSignal.any([this.signal, AbortSignal.timeout(MODEL_TIMEOUT_MS)]),
      },
    }));
    const candidate = response.candidates?.[0];
    if (!candidate?.content?.parts?.length) {
      const reason = response.promptFeedback?.blockReason ?? candidate?.finishReason ?? 'no candidate';
      throw new RunEnd(EXIT.failed, `the model did not answer: ${reason}`);
    }
    this.contents.push(candidate.content);
    return candidate.content.parts;
  }

  private async act(call: FunctionCall, step: number): Promise<Part> {
    const { safety_decision: safety, ...args } = (call.args ?? {}) as Arguments & { readonly safety_decision?: SafetyDecision };
    const name = call.name ?? '';
    this.note(`step ${step}: ${name} ${JSON.stringify(args)}`);
    // Only a person may confirm. The caller can decide, and repeat the request with more precise words.
    if (safety !== undefined && safety.decision !== 'regular' && safety.decision !== 'allowed') {
      throw new RunEnd(EXIT.confirmation, `not done, the model asks for a confirmation (${safety.decision}): ${safety.explanation ?? ''}`);
    }
    let failure: string | undefined;
    try {
      await this.abortable(perform(this.browser, name, args, { searchUrl: this.options.searchUrl }));
    } catch (error) {
      this.signal.throwIfAborted();
      failure = messageOf(error).split('\n')[0]!;
      this.note(`step ${step}: failed: ${failure}`);
    }
    const data = await this.abortable(this.browser.screenshot());
    return {
      functionResponse: {
        id: call.id,
        name,
        response: { url: this.browser.url, ...definedOnly({ error: failure }) },
        parts: [{ inlineData: { mimeType: 'image/png', data } }],
      },
    };
  }

  /** Rejects as soon as the run is given up, whatever the promise does then. */
  private async abortable<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined);
    this.signal.throwIfAborted();
    let stop: () => void;
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(this.signal.reason);
      this.signal.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      this.signal.removeEventListener('abort', stop!);
    }
  }
}

/** With a function of ours, the library does not switch the time limits of Node off. */
const ownFetch: typeof fetch = (input, init) => fetch(input, init);

/** Libraries put the reason why a connection failed into the cause. */
function withCause(error: unknown): string {
  const cause = (error as { cause?: unknown } | undefined)?.cause;
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`;
}

interface SafetyDecision {
  readonly decision?: string;
  readonly explanation?: string;
}

/** Takes pictures out of all messages but the last ones. */
function forgetScreenshots(contents: readonly Content[]): void {
  const responses = contents.flatMap(content => content.parts ?? []).flatMap(part => part.functionResponse ?? []);
  for (const response of responses.slice(0, -KEPT_SCREENSHOTS)) {
    delete response.parts;
  }
}
