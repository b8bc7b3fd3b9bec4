/**
 * The part of OpenAPI v3 that structural CRD schemas use, as typed data.
 *
 * `$ref` names a definition: a type of this API, or a Kubernetes type by its name there
 * (`PodSpec`). Keywords beside a `$ref` win over those of the definition.
 */
export interface Schema {
  readonly description?: string;
  readonly $ref?: string;
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array';
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
}

/** A CEL rule of the API server. */
export interface ValidationRule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
  /** Whether the rule is also evaluated on creation, when `oldSelf` is an empty optional; otherwise `oldSelf` is an optional value. */
  readonly optionalOldSelf?: boolean;
}

export type Definitions = Readonly<Record<string, Schema>>;

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
}

/** The paths behind `kubectl scale` and autoscalers. */
export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath: string;
}

/** What one served version of a kind adds to the schema that all versions share. */
export interface KindVersion {
  readonly name: 'v1beta1' | 'v1alpha1';
  readonly printerColumns?: readonly PrinterColumn[];
  readonly scale?: ScalePaths;
  /** Defaults that only this version has, by property of `spec`. */
  readonly specDefaults?: Readonly<Record<string, unknown>>;
  /** Properties of `spec` that only this version requires. */
  readonly specRequired?: readonly string[];
  /** CEL rules on `spec` that only this version has. */
  readonly specValidations?: readonly ValidationRule[];
}

/** One kind of the API. Both versions share one (superset) schema, so that no conversion is needed between them. */
export interface Kind {
  readonly group: 'agents.x-k8s.io' | 'extensions.agents.x-k8s.io';
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  /** Names of the definitions of `spec` and `status`; a kind without `status` has no status subresource either. */
  readonly spec: string;
  readonly status?: string;
  /** CEL rules on the whole object; they see `metadata.name`. */
  readonly validations?: readonly ValidationRule[];
  /** Storage version first. */
  readonly versions: readonly [KindVersion, KindVersion];
  /**
   * Fields of `spec` that branches and proposals of the original have, but no release: stored, so that such manifests are accepted and lose
   * nothing, and ignored by all programs. Neither constructs nor types have them.
   */
  readonly ignoredFields?: Readonly<Record<string, Schema>>;
  /** The types that `spec` and `status` are made of. */
  readonly definitions: Definitions;
}
