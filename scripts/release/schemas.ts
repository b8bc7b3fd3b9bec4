type Json = any;

/**
 * JSON schemas from definitions (CRDs), by the paths that kubeconform and the public catalogs of definitions use:
 * `<group>/<kind>_<version>.json`. Unknown fields are errors, as with strict validation of the API server.
 */
export function jsonSchemas(definitions: readonly Json[]): Map<string, Json> {
  return new Map(definitions.flatMap(({ spec: { group, names, versions } }) => (versions as Json[]).map(({ name, schema }) => {
    const { properties, ...rest } = schema.openAPIV3Schema;
    const whole = { ...rest, properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' }, ...properties } };
    // Metadata is that of every object, which the definition leaves open.
    whole.properties.metadata = { ...whole.properties.metadata, 'x-kubernetes-preserve-unknown-fields': true };
    return [`${group}/${names.kind.toLowerCase()}_${name}.json`, { $schema: 'http://json-schema.org/draft-07/schema#', ...strict(whole) }] as const;
  })));
}

function strict(schema: Json): Json {
  const { properties, items, additionalProperties, 'x-kubernetes-int-or-string': isEither, 'x-kubernetes-preserve-unknown-fields': isOpen, anyOf, ...rest } = schema;
  const plain = Object.fromEntries(Object.entries(rest).filter(([key]) => !key.startsWith('x-kubernetes-') && key !== 'default' && key !== 'nullable'));
  return {
    ...plain,
    ...(isEither ? { anyOf: [{ type: 'integer' }, { type: 'string' }] } : anyOf && { anyOf: anyOf.map(strict) }),
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, strict(each)])) }),
    ...(items && { items: strict(items) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: strict(additionalProperties) } : properties && !isOpen && { additionalProperties: false }),
  };
}
