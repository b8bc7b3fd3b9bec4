import { checkCalls, integer, Problems, qualifiedName } from '../checks';

/**
 * GPUs of a container: whole devices, which the container has for itself. The nodes need the device plugin of the vendor, and often
 * have a taint; see {@link Tolerations}. Under gVisor and Kata the runtime must support the device as well.
 */
export class Gpu {
  /**
   * GPUs of NVIDIA (`nvidia.com/gpu`).
   *
   * @param count number of devices, at least 1
   * @throws if the count is out of bounds
   */
  public static nvidia(count: number): Gpu {
    return new Gpu('Gpu.nvidia', 'nvidia.com/gpu', count);
  }

  /**
   * Parts of NVIDIA GPUs by Multi-Instance GPU (`nvidia.com/mig-1g.5gb`).
   *
   * @param profile name of the profile: `1g.5gb`
   * @param count number of parts, at least 1
   * @throws if the profile is not well-formed or the count is out of bounds
   */
  public static nvidiaMig(profile: string, count: number): Gpu {
    const problems = Problems.of('Gpu.nvidiaMig');
    problems.check('profile', profile, text => (/^\d+g\.\d+gb(\.me|\+me)?$/.test(text) ? undefined : "write compute slices and memory: '1g.5gb'"));
    problems.throwIfAny();
    return new Gpu('Gpu.nvidiaMig', `nvidia.com/mig-${profile.replace('+', '.')}`, count);
  }

  /**
   * GPUs of AMD (`amd.com/gpu`).
   *
   * @param count number of devices, at least 1
   * @throws if the count is out of bounds
   */
  public static amd(count: number): Gpu {
    return new Gpu('Gpu.amd', 'amd.com/gpu', count);
  }

  /**
   * GPUs of Intel with the driver `xe` (`gpu.intel.com/xe`).
   *
   * @param count number of devices, at least 1
   * @throws if the count is out of bounds
   */
  public static intel(count: number): Gpu {
    return new Gpu('Gpu.intel', 'gpu.intel.com/xe', count);
  }

  /**
   * Any device that a device plugin offers as an extended resource.
   *
   * @param resource name with its domain: `example.com/accelerator`
   * @param count number of devices, at least 1
   * @throws if the name is not well-formed or the count is out of bounds
   */
  public static of(resource: string, count: number): Gpu {
    const problems = Problems.of('Gpu.of');
    problems.check('resource', resource, name => qualifiedName(name) ?? (/^[^/]+\/./.test(name) && !/(^|\.)kubernetes\.io\//.test(name) && !name.startsWith('requests.')
      ? undefined : "use the name of the device plugin with its domain, such as 'nvidia.com/gpu'"));
    problems.throwIfAny();
    return new Gpu('Gpu.of', resource, count);
  }

  private constructor(
    where: string,
    /** Name of the extended resource. */
    public readonly resource: string,
    /** Number of devices. */
    public readonly count: number,
  ) {
    const problems = Problems.of(where);
    problems.check('count', count, integer(1));
    problems.throwIfAny();
  }
}
checkCalls(Gpu);
