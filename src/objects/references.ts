/** A SandboxTemplate, of this app or of elsewhere. */
export interface ISandboxTemplate {
  /** Always true: tells templates from all other objects that have a name. */
  readonly isSandboxTemplate: boolean;

  /** Name of the object. */
  readonly name: string;

  /** Namespace of the object; undefined is the namespace of whatever refers to it. */
  readonly namespace?: string;
}

/** A SandboxWarmPool, of this app or of elsewhere. */
export interface ISandboxWarmPool {
  /** Always true: tells pools from all other objects that have a name. */
  readonly isSandboxWarmPool: boolean;

  /** Name of the object. */
  readonly name: string;

  /** Namespace of the object; undefined is the namespace of whatever refers to it. */
  readonly namespace?: string;

  /** Template of the pool, where it is known. */
  readonly template?: ISandboxTemplate;
}
