/**
 * What the API server says about NetworkPolicies that it refuses, by `namespace/name` of the template. Templates have no status: the
 * template controller keeps the words here, and pools and claims of the template put them into their conditions.
 */
export class PolicyFailures {
  private readonly messages = new Map<string, string>();

  public get(key: string): string | undefined {
    return this.messages.get(key);
  }

  public set(key: string, message: string | undefined): void {
    if (message === undefined) {
      this.messages.delete(key);
    } else {
      this.messages.set(key, message);
    }
  }
}
