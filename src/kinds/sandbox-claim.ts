import { Chart } from 'cdk8s';
import { Construct, type IConstruct } from 'constructs';
import * as l1 from '../../imports';
import { checkProps, checkTreeAtSynth, dnsLabel, dnsSubdomain, placed, Problems } from '../checks';
import { DEFAULT_LABEL_DOMAINS, reservedAnnotationDomain } from '../generated/semantics.gen';
import { SHADOW_POOL_PREFIX } from '../generated/vocabulary.gen';
import {
  type AgentSandboxObjectProps, AgentSandboxVersion, checkObject, identityOf, inDifferentNamespaces, type ISandboxTemplate, type ISandboxWarmPool,
  objectMetadata, writeAfter,
} from '../objects';
import { type Blueprint, checkPodMetadata, openVolumes, renderEnv, type SandboxVolume } from '../pod';
import { ClaimOverrides, type KnownTemplate, knownTemplate } from './known-template';
import type { Lifetime } from './lifetime';
import { checkSandboxName } from './sandbox';

/** When a claim ends, and what it adds to the Sandbox. */
export interface SandboxClaimOptions extends AgentSandboxObjectProps {
  /**
   * When the claim ends, and its Sandbox with it.
   *
   * @default - never
   */
  readonly lifetime?: Lifetime;

  /**
   * Labels to add to the Pod. Keys need a DNS prefix that the controller allows: `sandbox.users.io/team`.
   *
   * @default - none
   */
  readonly podLabels?: { [key: string]: string };

  /**
   * Annotations to add to the Pod.
   *
   * @default - none
   */
  readonly podAnnotations?: { [key: string]: string };

  /**
   * Environment variables for the first container, in plain text; the template has to allow it. Means a cold start.
   * Secrets belong into the template, as references.
   *
   * @default - none
   */
  readonly env?: { [name: string]: string };

  /**
   * Environment variables by name of the container or init container.
   *
   * @default - none
   */
  readonly containerEnv?: { [container: string]: { [name: string]: string } };

  /**
   * Persistent volumes to add or, where the template allows it, to replace. Means a cold start. Not in v1alpha1.
   *
   * @default - none
   */
  readonly volumes?: SandboxVolume[];
}

/** A claim: of a pool or a template, and what it adds to the Sandbox. */
export interface SandboxClaimProps extends SandboxClaimOptions {
  /**
   * Pool to take a Sandbox from, in the namespace of the claim. When it is empty, a Sandbox is made from its template.
   *
   * @default - none; give a pool or a template
   */
  readonly pool?: ISandboxWarmPool;

  /**
   * Template to make a new Sandbox from.
   *
   * @default - none; give a pool or a template
   */
  readonly template?: ISandboxTemplate;

  /**
   * With `template`: name it in the claim itself. Without it, the claim names an empty pool of the template
   * (`shadow-pool-<template>`), which controllers of the original understand too. Templates of another namespace
   * are always named directly.
   *
   * @default false
   */
  readonly direct?: boolean;
}

/**
 * A request for one Sandbox: a warm one from a pool where there is one, else a new one from the template.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class SandboxClaim extends Construct {
  /** Name of the object, and of its Sandbox when that is made for the claim. */
  public readonly name: string;

  /** Namespace of the object; undefined where it is chosen when the manifest is applied. */
  public readonly namespace?: string;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id, and the name of the object unless `name` is set
   * @param props the claim
   */
  constructor(scope: Construct, id: string, props: SandboxClaimProps) {
    super(...placed('SandboxClaim', scope, id));
    checkProps(this.node.path, 'SandboxClaimProps', props);
    const identity = identityOf(this, id, props);
    this.name = identity.name;
    this.namespace = identity.namespace;

    const problems = Problems.of(this.node.path);
    checkObject(problems, identity, props);
    const template = props.template ?? props.pool?.template;
    const volumeClaimTemplates = claimTemplates(problems, props);
    this.checkNames(problems, template, volumeClaimTemplates ?? []);
    if (props.pool && inDifferentNamespaces(props.pool.namespace, this.namespace)) {
      problems.add('pool', `${props.pool.namespace}/${props.pool.name}`, `a claim uses pools of its own namespace, '${this.namespace}': define the claim there`);
    }
    if ((props.pool === undefined) === (props.template === undefined)) {
      problems.add('pool, template', undefined, 'give exactly one: a pool to take from, or a template to make a new Sandbox from');
    }
    if (props.direct && props.pool) {
      problems.add('direct', true, 'a pool has its own template: leave it out, or give a template');
    }
    const env = renderClaimEnv(problems, props);
    checkClaimMetadata(problems, props);
    const known = knownTemplate(template);
    if (known) {
      this.checkAgainst(problems, props, known);
    }
    const { reference, shadowPool }: Source = problems.all().length === 0 ? this.source(problems, props) : {};
    problems.throwIfAny();

    const additional = props.podLabels || props.podAnnotations ? { labels: props.podLabels, annotations: props.podAnnotations } : undefined;
    const spec: l1.SandboxClaimSpec = {
      ...reference,
      lifecycle: props.lifetime?._forClaim(),
      additionalPodMetadata: additional,
      env,
      volumeClaimTemplates,
    };
    const metadata = objectMetadata(identity, props);
    const resource = props.apiVersion === AgentSandboxVersion.V1ALPHA1
      ? new l1.SandboxClaimV1Alpha1(this, 'Resource', { metadata, spec })
      : new l1.SandboxClaim(this, 'Resource', { metadata, spec });
    // On the objects: their constructs can hold others, this claim among them.
    for (const dependency of [props.pool, props.template]) {
      if (dependency instanceof Construct) {
        writeAfter(resource, dependency);
      }
    }
    if (shadowPool) {
      writeAfter(resource, shadowPool.pool);
    }
    checkTreeAtSynth(this);
  }

  /** What the claim says about where its Sandbox comes from. */
  private source(problems: Problems, props: SandboxClaimProps): Source {
    const v1alpha1 = props.apiVersion === AgentSandboxVersion.V1ALPHA1;
    if (props.pool && !v1alpha1) {
      return { reference: { warmPoolRef: { name: props.pool.name } } };
    }
    if (props.pool) {
      if (!props.pool.template) {
        problems.add('pool', props.pool.name, 'a claim of v1alpha1 names the template too: use SandboxWarmPool.fromName(name, { template })');
        return {};
      }
      return { reference: { sandboxTemplateRef: { name: props.pool.template.name }, warmpool: props.pool.name } };
    }
    const template = props.template!;
    const foreign = inDifferentNamespaces(template.namespace, this.namespace);
    if (v1alpha1 && foreign) {
      problems.add('template', `${template.namespace}/${template.name}`, 'controllers of v1alpha1 know templates of the claim\'s namespace only: emit v1beta1');
    }
    if (v1alpha1) {
      return { reference: { sandboxTemplateRef: { name: template.name }, warmpool: 'none' } };
    }
    if (foreign || props.direct) {
      return { reference: { sandboxTemplateRef: { name: template.name, namespace: foreign ? template.namespace : undefined } } };
    }
    const shadowPool = this.shadowPool(problems, template);
    return { reference: { warmPoolRef: { name: shadowPool.name } }, shadowPool };
  }

  /** The empty pool that stands for a template, shared by all claims of it in a namespace, whatever their charts. */
  private shadowPool(problems: Problems, template: ISandboxTemplate): ShadowPool {
    const name = `${SHADOW_POOL_PREFIX}${template.name}`;
    const scope = knownTemplate(template) ?? Chart.of(this);
    const pools = shadowPools(this.node.root);
    // A namespace that is not written is that of the chart, wherever it will be applied.
    const key = `${this.namespace ?? `chart ${Chart.of(scope).node.path}`}/${name}`;
    const existing = pools.get(key);
    if (existing) {
      return existing;
    }
    const id = scope.node.tryFindChild(name) ? `${name}.${this.namespace}` : name;
    problems.check('name of its shadow pool', name, dnsSubdomain);
    problems.throwIfAny();
    const pool = new Construct(scope, id);
    const resource = new l1.SandboxWarmPool(pool, 'Resource', {
      metadata: { name, namespace: this.namespace }, spec: { replicas: 0, sandboxTemplateRef: { name: template.name } },
    });
    const known = knownTemplate(template);
    if (known) {
      writeAfter(resource, known);
    }
    pools.set(key, { name, pool });
    return { name, pool };
  }

  /** Names that follow from that of the claim, as a Sandbox made for it has the same. */
  private checkNames(problems: Problems, template: ISandboxTemplate | undefined, own: readonly l1.VolumeClaimTemplate[]): void {
    const { service, volumeClaimTemplates = [] }: Partial<Blueprint> = knownTemplate(template)?._blueprint ?? {};
    const replaced = own.map(volume => volume.metadata?.name);
    const others = volumeClaimTemplates.filter(volume => !replaced.includes(volume.metadata?.name));
    checkSandboxName(problems, 'name', this.name, { service, volumeClaimTemplates: [...others, ...own] });
  }

  /** What only shows against the template: what it lets claims do, and names that follow from both. */
  private checkAgainst(problems: Problems, props: SandboxClaimProps, template: KnownTemplate): void {
    const path = template.node.path;
    const variables = [props.env ?? {}, ...Object.values(props.containerEnv ?? {})].flatMap(env => Object.keys(env));
    if (variables.length > 0 && template.claimEnv === ClaimOverrides.DISALLOWED) {
      problems.add('env', variables, `the template ${path} does not let claims set variables: give it claimEnv: ClaimOverrides.ALLOWED`);
    }
    if (props.volumes?.length && template.claimVolumes === ClaimOverrides.DISALLOWED) {
      problems.add('volumes', props.volumes.map(volume => volume.name), `the template ${path} does not let claims bring volumes: give it claimVolumes: ClaimOverrides.ALLOWED`);
    }
    if (props.template && inDifferentNamespaces(template.namespace, this.namespace)
      && !template.claimableFrom.includes('*') && !template.claimableFrom.includes(this.namespace!)) {
      problems.add('template', `${template.namespace}/${template.name}`, `it does not permit claims of namespace '${this.namespace}': give ${path} claimableFrom: ['${this.namespace}']`);
    }
    this.checkMetadataAgainst(problems, props, template);
    const brought = (props.volumes ?? []).map(volume => volume.name);
    const missing = openVolumes(template._blueprint).filter(name => !brought.includes(name));
    if (missing.length > 0) {
      problems.add('volumes', brought, `the template ${path} mounts volumes that claims have to bring: add SandboxVolume.persistent(…) for ${missing.join(', ')}`);
    }
    const own = template._blueprint.volumeClaimTemplates?.map(claim => claim.metadata?.name) ?? [];
    for (const volume of props.volumes ?? []) {
      if (own.includes(volume.name) && template.claimVolumes === ClaimOverrides.ALLOWED) {
        problems.add('volumes', volume.name, `the template ${path} has a volume of this name: rename it, or give the template claimVolumes: ClaimOverrides.OVERRIDES`);
      }
    }
    this.checkEnvAgainst(problems, props, template);
  }

  /** The controller refuses claims that change what the Pod of the template says. */
  private checkMetadataAgainst(problems: Problems, props: SandboxClaimProps, template: KnownTemplate): void {
    const { labels = {}, annotations = {} } = template._blueprint.podTemplate.metadata ?? {};
    for (const [prop, added, present] of [['podLabels', props.podLabels, labels], ['podAnnotations', props.podAnnotations, annotations]] as const) {
      for (const [key, value] of Object.entries(added ?? {})) {
        if (present[key] !== undefined && present[key] !== value) {
          problems.add(`${prop}['${key}']`, value, `the template ${template.node.path} has '${present[key]}' there, which claims cannot change: use another key`);
        }
      }
    }
  }

  private checkEnvAgainst(problems: Problems, props: SandboxClaimProps, template: KnownTemplate): void {
    const { containers, initContainers = [] } = template._blueprint.podTemplate.spec ?? {};
    if (!containers) {
      return; // the Pod is known at synthesis only
    }
    const all = [...containers, ...initContainers];
    const variables = [...Object.keys(props.env ?? {}).map(name => ({ container: containers[0].name, name, prop: 'env' })),
      ...Object.entries(props.containerEnv ?? {}).flatMap(([container, env]) => Object.keys(env).map(name => ({ container, name, prop: `containerEnv['${container}']` })))];
    for (const { container: containerName, name, prop } of variables) {
      const container = all.find(candidate => candidate.name === containerName);
      if (!container) {
        problems.add(prop, name, `the template ${template.node.path} has no container '${containerName}': it has ${all.map(candidate => candidate.name).join(', ')}`);
      } else if (template.claimEnv === ClaimOverrides.ALLOWED && container.env?.some(variable => variable.name === name)) {
        problems.add(prop, name, `the template ${template.node.path} sets this variable: rename it, or give the template claimEnv: ClaimOverrides.OVERRIDES`);
      } else if (template.claimEnv === ClaimOverrides.ALLOWED && container.envFrom && container.envFrom.length > 0) {
        problems.add(prop, name, `container '${containerName}' takes variables from objects, which could be replaced unseen: give the template claimEnv: ClaimOverrides.OVERRIDES`);
      }
    }
  }
}

/** What a claim names, and the shadow pool behind it where there is one. */
interface Source {
  readonly reference?: Partial<l1.SandboxClaimSpec>;
  readonly shadowPool?: ShadowPool;
}

/** The empty pool that stands for a template. */
interface ShadowPool {
  readonly name: string;
  readonly pool: Construct;
}

const SHADOW_POOLS = new WeakMap<IConstruct, Map<string, ShadowPool>>();

/** The shadow pools of an app, by namespace and name. */
function shadowPools(root: IConstruct): Map<string, ShadowPool> {
  const pools = SHADOW_POOLS.get(root) ?? new Map<string, ShadowPool>();
  SHADOW_POOLS.set(root, pools);
  return pools;
}

function renderClaimEnv(problems: Problems, props: SandboxClaimProps): l1.SandboxClaimEnvVar[] | undefined {
  const render = (at: Problems, env: { readonly [name: string]: string }, containerName?: string) =>
    renderEnv(at, env).map(({ name, value }) => ({ name, value: value!, containerName }));
  const list = [
    ...render(problems.at('env'), props.env ?? {}),
    ...Object.keys(props.containerEnv ?? {}).sort().flatMap(container => {
      problems.check('containerEnv key', container, dnsLabel);
      return render(problems.at(`containerEnv['${container}']`), props.containerEnv![container], container);
    }),
  ];
  return list.length > 0 ? list : undefined;
}

function claimTemplates(problems: Problems, props: SandboxClaimProps): l1.VolumeClaimTemplate[] | undefined {
  const volumes = props.volumes ?? [];
  if (volumes.length > 0 && props.apiVersion === AgentSandboxVersion.V1ALPHA1) {
    problems.add('volumes', volumes.map(volume => volume.name), 'v1alpha1 has no volumeClaimTemplates in claims: leave them out, or emit v1beta1');
  }
  volumes.forEach((volume, index) => {
    if (!volume.isPersistent) {
      problems.add(`volumes[${index}]`, volume.name, 'claims bring persistent volumes only: use SandboxVolume.persistent(…)');
    }
  });
  problems.unique(index => `volumes[${index}].name`, volumes.map(volume => volume.name), 'name each volume differently');
  return volumes.length > 0 ? volumes.flatMap(volume => volume._claimTemplate ?? []) : undefined;
}

/** The controller's rules for metadata that claims add to Pods, as far as they do not depend on its configuration. */
function checkClaimMetadata(problems: Problems, props: SandboxClaimProps): void {
  checkPodMetadata(problems, 'podLabels', 'podAnnotations', props.podLabels, props.podAnnotations);
  for (const key of Object.keys(props.podLabels ?? {})) {
    if (!key.includes('/')) {
      problems.add('podLabels key', key, `the controller takes labels with a permitted domain only: write '${DEFAULT_LABEL_DOMAINS[0]}/${key}', or a domain that it is configured with`);
    }
  }
  for (const key of Object.keys(props.podAnnotations ?? {})) {
    if (reservedAnnotationDomain(key) !== undefined) {
      problems.add('podAnnotations key', key, 'the controller refuses annotations of this domain from claims: use a domain of your own');
    }
  }
}
