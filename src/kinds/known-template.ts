import { Construct } from 'constructs';
import type { ISandboxTemplate } from '../objects';
import type { Blueprint } from '../pod';

/** What claims may do to environment variables or volumes of their template. */
export enum ClaimOverrides {
  /** Nothing. */
  DISALLOWED = 'Disallowed',

  /** Add new ones. */
  ALLOWED = 'Allowed',

  /** Add new ones and replace existing ones. */
  OVERRIDES = 'Overrides',
}

/**
 * A template of this app. Pools and claims are made by templates and are checked against them, so they know no more of a template
 * than this.
 *
 * @internal
 */
export interface KnownTemplate extends ISandboxTemplate, Construct {
  readonly claimEnv: ClaimOverrides;
  readonly claimVolumes: ClaimOverrides;
  readonly claimableFrom: readonly string[];
  readonly _blueprint: Blueprint;
}

/** The template, if it is one of this app and not only a name. @internal */
export function knownTemplate(template: ISandboxTemplate | undefined): KnownTemplate | undefined {
  return Construct.isConstruct(template) && '_blueprint' in template ? template as unknown as KnownTemplate : undefined;
}
