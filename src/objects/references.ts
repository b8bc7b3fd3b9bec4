/** A SandboxTemplate, of this app or of elsewhere. */
export interface ISandboxTemplate {
  /** Name of the object. */
  readonly name: string;

  /** Namespace of the object; undefined is the namespace of whatever refers to it. */
  readonly namespace?: string;
}

/** A SandboxWarmPool, of this app or of elsewhere. */
export interface ISandboxWarmPool {
  /** Name of the object. */
  readonly name: string;

  /** Namespace of the object; undefined is the namespace of whatever refers to it. */
  readonly namespace?: string;

  /** Template of the pool, where it is known. */
  readonly template?: ISandboxTemplate;
}
