import { ALL_VERSIONS, EMBEDDED, type Json, schemaAt, schemaOf, walk, without } from './crd-files';

const POD_SPEC = schemaOf('Sandbox', 'v1beta1', 'spec.podTemplate.spec');
const CLAIM_SPEC = schemaOf('Sandbox', 'v1beta1', 'spec.volumeClaimTemplates[].spec');
const QUANTITY = '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$';

const names = (schema: Json, path = '') => Object.keys(schemaAt(schema, path).properties).sort();
const words = (text: string) => text.trim().split(/\s+/).sort();

describe('PodSpec', () => {
  test('has the 42 properties of Kubernetes 1.36', () => {
    const expected = words(`
      activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks ephemeralContainers
      hostAliases hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride imagePullSecrets initContainers nodeName nodeSelector os
      overhead preemptionPolicy priority priorityClassName readinessGates resourceClaims resources restartPolicy runtimeClassName
      schedulerName schedulingGates schedulingGroup securityContext serviceAccount serviceAccountName setHostnameAsFQDN
      shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes`);
    expect(expected).toHaveLength(42);
    expect(names(POD_SPEC)).toEqual(expected);
    expect(POD_SPEC.required).toEqual(['containers']);
  });

  const CONTAINER = words(`
    args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy resources restartPolicy
    restartPolicyRules securityContext startupProbe stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices
    volumeMounts workingDir`);

  test('has 25 properties in a container, of which only the name is required', () => {
    expect(CONTAINER).toHaveLength(25);
    for (const list of ['containers', 'initContainers']) {
      expect(names(POD_SPEC, `${list}[]`)).toEqual(CONTAINER);
      expect(schemaAt(POD_SPEC, `${list}[]`).required).toEqual(['name']);
    }
  });

  test('has one property more in an ephemeral container', () => {
    expect(names(POD_SPEC, 'ephemeralContainers[]')).toEqual([...CONTAINER, 'targetContainerName'].sort());
    expect(schemaAt(POD_SPEC, 'ephemeralContainers[]').required).toEqual(['name']);
  });

  test('has all volume sources, also those that are deprecated', () => {
    expect(names(POD_SPEC, 'volumes[]')).toEqual(words(`
      awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI emptyDir ephemeral fc flexVolume flocker
      gcePersistentDisk gitRepo glusterfs hostPath image iscsi name nfs persistentVolumeClaim photonPersistentDisk portworxVolume projected
      quobyte rbd scaleIO secret storageos vsphereVolume`));
    expect(schemaAt(POD_SPEC, 'volumes[]').required).toEqual(['name']);
  });

  test('leaves values to the creation of the Pod: no enums, bounds or rules', () => {
    walk(POD_SPEC, (node, path) => {
      for (const keyword of ['enum', 'minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'x-kubernetes-validations']) {
        expect({ path, keywords: Object.keys(node) }).toEqual({ path, keywords: expect.not.arrayContaining([keyword]) });
      }
    });
  });

  // 1,245 in the schema of the original, and labels and annotations of ephemeral volume claim templates, which it prunes.
  test('has 1,249 nodes', () => {
    let nodes = 0;
    walk(POD_SPEC, () => nodes++);
    expect(nodes).toBe(1_245 + 4);
    expect(without(schemaAt(POD_SPEC, 'volumes[].ephemeral.volumeClaimTemplate.metadata'), 'description')).toEqual({
      type: 'object',
      properties: {
        annotations: { type: 'object', additionalProperties: { type: 'string' } },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
      },
    });
  });

  test('has maps, by these keys, and sets where Kubernetes has them, and atomic lists everywhere else', () => {
    const lists: Record<string, string> = {};
    walk(POD_SPEC, (node, path) => {
      if (node.type === 'array' && node['x-kubernetes-list-type'] !== 'atomic') {
        lists[path] = [node['x-kubernetes-list-type'], ...(node['x-kubernetes-list-map-keys'] ?? [])].join(' ');
      }
    });
    const container = (list: string) => ({
      [list]: 'map name',
      [`${list}[].env`]: 'map name',
      [`${list}[].ports`]: 'map containerPort protocol',
      [`${list}[].resources.claims`]: 'map name',
      [`${list}[].restartPolicyRules[].exitCodes.values`]: 'set',
      [`${list}[].volumeDevices`]: 'map devicePath',
      [`${list}[].volumeMounts`]: 'map mountPath',
    });
    expect(lists).toEqual({
      ...container('containers'),
      ...container('initContainers'),
      ...container('ephemeralContainers'),
      hostAliases: 'map ip',
      imagePullSecrets: 'map name',
      resourceClaims: 'map name',
      'resources.claims': 'map name',
      schedulingGates: 'map name',
      topologySpreadConstraints: 'map topologyKey whenUnsatisfiable',
      volumes: 'map name',
    });
  });

  test('has these defaults and no others', () => {
    const defaults: Record<string, unknown> = {};
    walk(POD_SPEC, (node, path) => {
      if ('default' in node) {
        defaults[path] = node.default;
      }
    });
    const container = (list: string) => Object.fromEntries<unknown>([
      ['env[].valueFrom.configMapKeyRef.name', ''],
      ['env[].valueFrom.fileKeyRef.optional', false],
      ['env[].valueFrom.secretKeyRef.name', ''],
      ['envFrom[].configMapRef.name', ''],
      ['envFrom[].secretRef.name', ''],
      ['livenessProbe.grpc.service', ''],
      ['ports[].protocol', 'TCP'],
      ['readinessProbe.grpc.service', ''],
      ['startupProbe.grpc.service', ''],
    ].map(([path, value]) => [`${list}[].${path}`, value]));
    expect(defaults).toEqual({
      ...container('containers'),
      ...container('initContainers'),
      ...container('ephemeralContainers'),
      'imagePullSecrets[].name': '',
      'volumes[].azureDisk.fsType': 'ext4',
      'volumes[].azureDisk.readOnly': false,
      'volumes[].cephfs.secretRef.name': '',
      'volumes[].cinder.secretRef.name': '',
      'volumes[].configMap.name': '',
      'volumes[].csi.nodePublishSecretRef.name': '',
      'volumes[].flexVolume.secretRef.name': '',
      'volumes[].iscsi.iscsiInterface': 'default',
      'volumes[].iscsi.secretRef.name': '',
      'volumes[].projected.sources[].configMap.name': '',
      'volumes[].projected.sources[].secret.name': '',
      'volumes[].rbd.keyring': '/etc/ceph/keyring',
      'volumes[].rbd.pool': 'rbd',
      'volumes[].rbd.secretRef.name': '',
      'volumes[].rbd.user': 'admin',
      'volumes[].scaleIO.fsType': 'xfs',
      'volumes[].scaleIO.secretRef.name': '',
      'volumes[].scaleIO.storageMode': 'ThinProvisioned',
      'volumes[].storageos.secretRef.name': '',
    });
  });

  test.each([
    ['containers[].volumeMounts[]', 'mountPath name'],
    ['containers[].volumeDevices[]', 'devicePath name'],
    ['containers[].env[]', 'name'],
    ['containers[].env[].valueFrom.secretKeyRef', 'key'],
    ['containers[].env[].valueFrom.fileKeyRef', 'key path volumeName'],
    ['containers[].ports[]', 'containerPort'],
    ['containers[].livenessProbe.httpGet', 'port'],
    ['containers[].readinessProbe.tcpSocket', 'port'],
    ['containers[].startupProbe.grpc', 'port'],
    ['containers[].lifecycle.preStop.sleep', 'seconds'],
    ['containers[].lifecycle.postStart.httpGet.httpHeaders[]', 'name value'],
    ['containers[].resizePolicy[]', 'resourceName restartPolicy'],
    ['containers[].restartPolicyRules[]', 'action'],
    ['containers[].securityContext.seccompProfile', 'type'],
    ['topologySpreadConstraints[]', 'maxSkew topologyKey whenUnsatisfiable'],
    ['affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms'],
    ['affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[]', 'podAffinityTerm weight'],
    ['volumes[].persistentVolumeClaim', 'claimName'],
    ['volumes[].hostPath', 'path'],
    ['volumes[].nfs', 'path server'],
    ['volumes[].csi', 'driver'],
    ['volumes[].ephemeral.volumeClaimTemplate', 'spec'],
    ['volumes[].projected.sources[].serviceAccountToken', 'path'],
    ['volumes[].projected.sources[].podCertificate', 'keyType signerName'],
    ['volumes[].scaleIO', 'gateway secretRef system'],
  ])('requires at %s what core/v1 requires: %s', (path, required) => {
    expect([...schemaAt(POD_SPEC, path).required].sort()).toEqual(required.split(' '));
  });

  test.each([
    'containers[].env[].valueFrom', 'containers[].image', 'containers[].securityContext', 'containers[].livenessProbe', 'volumes[].configMap',
    'volumes[].emptyDir', 'volumes[].secret', 'volumes[].image', 'tolerations[]', 'securityContext', 'dnsConfig', 'imagePullSecrets[]',
  ])('requires nothing at %s', path => {
    expect(schemaAt(POD_SPEC, path)).not.toHaveProperty('required');
  });

  test('makes references and selectors atomic, as their types in Go are', () => {
    for (const path of [
      'imagePullSecrets[]', 'nodeSelector', 'containers[].env[].valueFrom.secretKeyRef', 'containers[].envFrom[].configMapRef', 'volumes[].configMap',
      'volumes[].projected.sources[].secret', 'volumes[].projected.sources[].configMap', 'topologySpreadConstraints[].labelSelector',
    ]) {
      expect([path, schemaAt(POD_SPEC, path)['x-kubernetes-map-type']]).toEqual([path, 'atomic']);
    }
    expect(schemaAt(POD_SPEC, 'volumes[].secret')).not.toHaveProperty('x-kubernetes-map-type');
  });

  test('writes quantities and ports as number or string', () => {
    const quantity = { 'anyOf': [{ type: 'integer' }, { type: 'string' }], 'pattern': QUANTITY, 'x-kubernetes-int-or-string': true };
    for (const path of [
      'overhead{}', 'resources.limits{}', 'containers[].resources.limits{}', 'containers[].resources.requests{}', 'volumes[].emptyDir.sizeLimit',
      'containers[].env[].valueFrom.resourceFieldRef.divisor',
    ]) {
      expect(schemaAt(POD_SPEC, path)).toEqual(quantity);
    }
    for (const path of ['containers[].livenessProbe.httpGet.port', 'containers[].lifecycle.preStop.tcpSocket.port']) {
      expect(schemaAt(POD_SPEC, path)).toEqual(without(quantity, 'pattern'));
    }
  });

  test.each(['1', '+1', '-1', '0.5', '.5', '5.', '100m', '1n', '2u', '1k', '1Ki', '512Mi', '1Gi', '1e3', '1E-3', '2E'])('takes the quantity %s', text => {
    expect(text).toMatch(new RegExp(QUANTITY));
  });

  test.each(['', '1 Gi', '1gb', 'Gi', '1KI', '--1', '1e', '0x1'])('refuses the quantity "%s"', text => {
    expect(text).not.toMatch(new RegExp(QUANTITY));
  });
});

describe('PersistentVolumeClaimSpec', () => {
  test('has the properties of Kubernetes 1.36 and requires none', () => {
    expect(names(CLAIM_SPEC)).toEqual(words(
      'accessModes dataSource dataSourceRef resources selector storageClassName volumeAttributesClassName volumeMode volumeName'));
    expect(CLAIM_SPEC).not.toHaveProperty('required');
    expect(names(CLAIM_SPEC, 'resources')).toEqual(['limits', 'requests']);
    expect(names(CLAIM_SPEC, 'dataSourceRef')).toEqual(['apiGroup', 'kind', 'name', 'namespace']);
    expect(names(CLAIM_SPEC, 'dataSource')).toEqual(['apiGroup', 'kind', 'name']);
  });

  test('requires kind and name of data sources, and is atomic where Kubernetes is', () => {
    expect(schemaAt(CLAIM_SPEC, 'dataSource').required).toEqual(['kind', 'name']);
    expect(schemaAt(CLAIM_SPEC, 'dataSourceRef').required).toEqual(['kind', 'name']);
    expect(schemaAt(CLAIM_SPEC, 'accessModes')['x-kubernetes-list-type']).toBe('atomic');
    expect(schemaAt(CLAIM_SPEC, 'dataSource')['x-kubernetes-map-type']).toBe('atomic');
    expect(schemaAt(CLAIM_SPEC, 'selector')['x-kubernetes-map-type']).toBe('atomic');
    expect(schemaAt(CLAIM_SPEC, 'dataSourceRef')).not.toHaveProperty('x-kubernetes-map-type');
  });

  test('is the same inside ephemeral volumes', () => {
    expect(schemaAt(POD_SPEC, 'volumes[].ephemeral.volumeClaimTemplate.spec')).toEqual(without(CLAIM_SPEC, 'description'));
  });
});

describe.each(['ingress', 'egress'])('NetworkPolicy rules (%s)', direction => {
  const peers = direction === 'ingress' ? 'from' : 'to';
  const rule = schemaOf('SandboxTemplate', 'v1beta1', `spec.networkPolicy.${direction}[]`);

  test('have peers and ports, in atomic lists', () => {
    expect(names(rule)).toEqual([peers, 'ports'].sort());
    expect(names(rule, `${peers}[]`)).toEqual(['ipBlock', 'namespaceSelector', 'podSelector']);
    expect(names(rule, 'ports[]')).toEqual(['endPort', 'port', 'protocol']);
    for (const path of [peers, 'ports', `${peers}[].ipBlock.except`]) {
      expect(schemaAt(rule, path)['x-kubernetes-list-type']).toBe('atomic');
    }
    expect(schemaAt(rule, `${peers}[].ipBlock`).required).toEqual(['cidr']);
  });

  test('name ports by number or name, and set no protocol', () => {
    expect(schemaAt(rule, 'ports[].port')).toEqual({ 'anyOf': [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true });
    expect(schemaAt(rule, 'ports[].endPort')).toEqual({ type: 'integer', format: 'int32' });
    expect(schemaAt(rule, 'ports[].protocol')).toEqual({ type: 'string' });
  });
});

test.each(ALL_VERSIONS.filter(([kind]) => EMBEDDED[kind].length > 0))('%s %s embeds the same types as all other kinds', (kind, version) => {
  const originals: Readonly<Record<string, Json>> = {
    'spec.podTemplate.spec': POD_SPEC,
    'spec.volumeClaimTemplates[].spec': CLAIM_SPEC,
    'spec.networkPolicy.ingress[]': schemaOf('SandboxTemplate', 'v1beta1', 'spec.networkPolicy.ingress[]'),
    'spec.networkPolicy.egress[]': schemaOf('SandboxTemplate', 'v1beta1', 'spec.networkPolicy.egress[]'),
  };
  for (const path of EMBEDDED[kind]) {
    expect(schemaOf(kind, version, path)).toEqual(originals[path]);
  }
});
