/** What an error is about and what can be done. */
export interface ErrorContext {
  /** `namespace/name` of the claim. @default - the error is not about one claim */
  readonly claim?: string;
  /** Machine-readable reason of the controller or the runtime, for example `PodFailed`. @default - there is none */
  readonly reason?: string;
  /** What to do about it; becomes the end of the message. @default - nothing is known to help */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** Base of all errors of this package. What the Kubernetes API refuses stays an `ApiError` of agent-sandbox-kube. */
export class SandboxError extends Error {
  public readonly claim?: string;
  public readonly reason?: string;
  public readonly remedy?: string;

  constructor(message: string, context: ErrorContext = {}) {
    super(context.remedy ? `${message}: ${context.remedy}` : message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = new.target.name;
    this.claim = context.claim;
    this.reason = context.reason;
    this.remedy = context.remedy;
  }
}

/** An argument or option is wrong. Nothing was sent. */
export class SandboxInputError extends SandboxError {}

/** The claim or its Sandbox does not exist, or was deleted while it was waited for. */
export class SandboxNotFoundError extends SandboxError {}

/** The template that the claim or its pool names does not exist. */
export class SandboxTemplateNotFoundError extends SandboxError {}

/** The pool that the claim names does not exist. */
export class SandboxWarmPoolNotFoundError extends SandboxError {}

/** The controller refused the claim, or its Sandbox ended, for good; `reason` says why. Waiting longer would not help. */
export class SandboxClaimFailedError extends SandboxError {}

/** A claim of that name exists and may not, or cannot, be adopted. */
export class SandboxClaimExistsError extends SandboxError {}

/** Something failed, and then the claim that was made for it could not be deleted: it still exists. `cause` is what failed first. */
export class SandboxCleanupError extends SandboxError {}

/** Not in time: `reason` is the last thing that the controller said, where there was one. */
export class SandboxTimeoutError extends SandboxError {
  /** @param timeoutMs the limit that passed, in milliseconds */
  constructor(message: string, public readonly timeoutMs: number, context: ErrorContext = {}) {
    super(message, context);
  }
}

/** The sandbox cannot take requests now: it is suspended, its Pod is being replaced, or it has no address yet. */
export class SandboxNotReadyError extends SandboxError {}

/** This handle was closed or its sandbox deleted through it. */
export class SandboxClosedError extends SandboxError {}

/** The port-forward through the API server to the router could not be opened or broke. */
export class SandboxTunnelError extends SandboxError {
  /** @param sent whether the sandbox may have seen the request */
  constructor(message: string, public readonly sent: boolean, context: ErrorContext = {}) {
    super(message, context);
  }
}

/** The Gateway that leads to the router does not exist or has no address that can be used. */
export class SandboxGatewayError extends SandboxError {}

/** The router refused the caller (401 or 403 in front of the sandbox), or there is no token to present. */
export class SandboxAccessError extends SandboxError {
  /** @param statusCode HTTP status; undefined when nothing was sent */
  constructor(message: string, public readonly statusCode: number | undefined, context: ErrorContext = {}) {
    super(message, context);
  }
}

/** A request to the sandbox failed: by its status, or, when `statusCode` is undefined, without an answer. */
export class SandboxRequestError extends SandboxError {
  /**
   * @param statusCode HTTP status of the last attempt; undefined when no answer came
   * @param body the first 4 KiB of the answer
   * @param sent whether the sandbox may have seen the request
   */
  constructor(
    message: string,
    public readonly statusCode: number | undefined,
    public readonly body: string,
    public readonly sent: boolean,
    context: ErrorContext = {},
  ) {
    super(message, context);
  }
}

/** A path does not exist in the sandbox, or is not of the kind that the operation needs. */
export class SandboxPathNotFoundError extends SandboxRequestError {}

/** A path leads out of the sandbox's directory, or the runtime may not touch it. */
export class SandboxPathError extends SandboxRequestError {}

/** The answer is larger than the limit of this client. */
export class SandboxResponseTooLargeError extends SandboxError {
  /** @param limit in bytes */
  constructor(message: string, public readonly limit: number, context: ErrorContext = {}) {
    super(message, context);
  }
}

/** The answer is not what the protocol says. */
export class SandboxProtocolError extends SandboxError {}

/** The runtime in the sandbox has no such operation: it is older than this client, or another one. */
export class SandboxUnsupportedError extends SandboxError {}
