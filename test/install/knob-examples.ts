import { type Knob, type KnobType, isBoolean } from '../../scripts/helm/knob';

/** Values of each type, as a user could write them. */
const BY_TYPE: { readonly [type in Exclude<KnobType, 'boolean' | 'part'>]: unknown } = {
  string: 'something',
  secret: 'something',
  integer: 3,
  seconds: 90,
  milliseconds: 1500,
  number: 2.5,
  duration: '90s',
  quantity: '200Mi',
  strings: ['first', 'second'],
  integers: [6443, 7443],
  map: { 'example.com/key': 'value' },
  object: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }] } } },
  objects: [{ name: 'first', value: 'a "quoted" {{ value }}' }, { name: 'second', value: '1' }],
  pullSecrets: [{ name: 'registry' }],
  image: { repository: 'registry.example:5000/other', tag: '2.0', digest: `sha256:${'0'.repeat(64)}` },
};

/** A value of a knob that differs from its default. */
export function exampleOf(knob: Knob): unknown {
  if (isBoolean(knob)) {
    return !knob.default;
  }
  if (knob.choices) {
    return knob.choices.find(choice => choice !== '' && choice !== knob.default);
  }
  return knob.example ?? (knob.flag?.type === 'logLevel' ? 'debug' : BY_TYPE[knob.type as keyof typeof BY_TYPE]);
}
