import { execFile } from 'node:child_process';
import { errnoOf } from '../errors.js';

/**
 * Why Chromium's own sandbox cannot work here, or undefined. It puts its processes into namespaces of their own, which the default seccomp
 * profile of container engines forbids, and some distributions forbid to users other than root. Whether it is allowed is found out by
 * doing it, with `unshare` of util-linux; where there is none, nothing is known.
 */
export async function chromiumSandboxProblem(uid = process.getuid?.()): Promise<string | undefined> {
  if (uid === 0) {
    return 'Chromium refuses its sandbox to root';
  }
  const error = await new Promise<unknown>(resolve => execFile('unshare', ['--user', '--pid', '--net', '--fork', 'true'], { timeout: 10_000 }, resolve));
  if (error === null || errnoOf(error) === 'ENOENT') {
    return undefined;
  }
  return 'this container may not make user namespaces (its seccomp profile or the kernel forbids them)';
}

/** What helps. */
export const SANDBOX_REMEDY = 'run it under gVisor or Kata, or with a seccomp profile that allows them; or set --agent-chromium-sandbox=false, where the container is the only border';
