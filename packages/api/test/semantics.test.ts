import { BlockList, isIP } from 'node:net';
import * as api from '../src/index.js';
import {
  CLAIM_ANNOTATION_CASES, CREATOR_CASES, FORBIDDEN_ADDRESSES, POD_ADDRESSES, POD_NAME_CASES, PUBLIC_ADDRESSES, RUNNING_CASES,
} from './semantics-cases.js';

test.each(RUNNING_CASES)('%j is meant to run: %s', (spec, expected) => {
  expect(api.isMeantToRun({ spec })).toBe(expected);
});

test('the fields that resume and suspend are opposites', () => {
  expect(api.isMeantToRun({ spec: api.RUNNING })).toBe(true);
  expect(api.isMeantToRun({ spec: api.SUSPENDED })).toBe(false);
  expect(Object.keys(api.RUNNING)).toEqual(Object.keys(api.SUSPENDED));
});

test.each(POD_NAME_CASES)('the annotation %j means the Pod %s', (value, expected) => {
  const annotations = value === undefined ? undefined : { [api.ANNOTATION.podName]: value };
  expect(api.podNameOf({ metadata: { name: 'box', annotations } })).toBe(expected);
});

test.each(CLAIM_ANNOTATION_CASES)('a claim may add the annotation %s: %s', (key, allowed) => {
  expect(api.reservedAnnotationDomain(key) === undefined).toBe(allowed);
});

test('a reserved domain is found whatever its case', () => {
  expect(api.reservedAnnotationDomain('Sub.K8s.IO/x')).toBe('k8s.io');
});

test.each(CREATOR_CASES)('the creator %s counts as %s', (value, expected) => {
  expect(api.knownCreator(value)).toBe(expected);
});

describe('addresses', () => {
  const listOf = (cidrs: readonly string[]) => {
    const list = new BlockList();
    cidrs.forEach(cidr => list.addSubnet(cidr.split('/')[0]!, Number(cidr.split('/')[1]), cidr.includes(':') ? 'ipv6' : 'ipv4'));
    return (address: string) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  };
  const isSpecial = listOf([...api.SPECIAL_IPV4, ...api.SPECIAL_IPV6]);
  const hasNoPod = listOf(api.NO_POD_RANGES);
  const servers = api.METADATA_SERVERS.map(({ cidr }) => cidr.split('/')[0]!);

  test.each([...new Set([...FORBIDDEN_ADDRESSES, ...servers])])('%s is special and no Pod has it', address => {
    expect([isSpecial(address), hasNoPod(address)]).toEqual([true, true]);
  });

  test.each(POD_ADDRESSES)('%s is special, and Pods can have it', address => {
    expect([isSpecial(address), hasNoPod(address)]).toEqual([true, false]);
  });

  test.each(PUBLIC_ADDRESSES)('%s is public', address => {
    expect([isSpecial(address), hasNoPod(address)]).toEqual([false, false]);
  });

  test('all metadata servers are in the range that leaves them out', () => {
    api.METADATA_SERVERS.forEach(({ range }, index) => expect(listOf([range])(servers[index]!)).toBe(true));
  });
});
