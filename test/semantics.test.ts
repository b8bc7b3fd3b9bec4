import { CLAIM_ANNOTATION_CASES, FORBIDDEN_ADDRESSES, POD_ADDRESSES, PUBLIC_ADDRESSES } from '../packages/api/test/semantics-cases';
import { SandboxClaim, SandboxNetwork, SandboxTemplate } from '../src';
import { Cidr } from '../src/network/cidr';
import { testChart } from './helpers';

test.each(CLAIM_ANNOTATION_CASES)('a claim may add the annotation %s to Pods: %s', (key, allowed) => {
  const claim = () => new SandboxClaim(testChart(), 'claim', { template: SandboxTemplate.fromName('python'), podAnnotations: { [key]: 'x' } });
  if (allowed) {
    expect(claim).not.toThrow();
  } else {
    expect(claim).toThrow(`podAnnotations key is '${key}'`);
  }
});

describe('the public internet', () => {
  const blocks = (SandboxNetwork.publicInternet({ ipv6: true })._rules()?.egress ?? []).flatMap(({ to }) => to ?? []).flatMap(({ ipBlock }) => ipBlock ?? []);
  const includes = (address: string) => {
    const single = Cidr.tryParse(`${address}/${address.includes(':') ? 128 : 32}`)!;
    return blocks.some(({ cidr, except }) => Cidr.tryParse(cidr)!.contains(single) && !(except ?? []).some(each => Cidr.tryParse(each)!.contains(single)));
  };

  test.each([...FORBIDDEN_ADDRESSES, ...POD_ADDRESSES])('%s is not in it', address => {
    expect(includes(address)).toBe(false);
  });

  test.each(PUBLIC_ADDRESSES)('%s is in it', address => {
    expect(includes(address)).toBe(true);
  });
});
