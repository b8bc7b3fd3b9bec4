/** Whose controller runs. */
export enum ControllerImplementation {
  /** The controller of this project. */
  BUNDLED = 'Bundled',

  /**
   * The controller of kubernetes-sigs/agent-sandbox, version v0.5.6: its flags and its role, so `image` has to be
   * `registry.k8s.io/agent-sandbox/agent-sandbox-controller:v0.5.6` or a copy of it. The conversion webhook is off, as
   * the definitions of this project need none.
   */
  UPSTREAM_V0_5_6 = 'UpstreamV0.5.6',
}

/** The tag that the flags and the role of the original belong to. @internal */
export const UPSTREAM_TAG = 'v0.5.6';

/** What is always on the command line of an implementation. @internal */
export const FIXED_ARGS: { readonly [implementation in ControllerImplementation]: readonly string[] } = {
  [ControllerImplementation.BUNDLED]: [],
  [ControllerImplementation.UPSTREAM_V0_5_6]: ['--enable-webhook=false'],
};
