import { DEBIAN_SUITE, NODE_VERSION, PYTHON_VERSION, type ImageDefinition } from '../../images/definitions';
import { PROGRAMS } from '../bundle';
import { NPM_LEFTOVERS } from './packages';

const SITE = `/usr/local/lib/python${PYTHON_VERSION}/dist-packages`;
const APT_CLEAN = 'rm -rf /var/lib/apt/lists/*';

/** The Dockerfile of an image. */
export function dockerfileOf(image: string, definition: ImageDefinition): string {
  const { description, user, debian = [], pypi, npm, program, files = {}, folders = [], env, workingDir, ports, entrypoint } = definition;
  const lines = [
    `# ${description}. Written by "npm run images -- --dockerfiles" from images/definitions.ts.`,
    '# Build it from the root of the repository:',
    '#',
    `#   docker build -f images/${image}/Dockerfile -t registry.example/agent-sandbox-${image}:1.0 .`,
    '#',
    '# Pin the base by digest where builds have to be repeatable: --build-arg NODE_IMAGE=docker.io/library/node:…@sha256:…',
    `ARG NODE_IMAGE=docker.io/library/node:${NODE_VERSION}-${DEBIAN_SUITE}-slim`,
    '',
  ];
  if (program !== undefined) {
    lines.push(
      'FROM ${NODE_IMAGE} AS build',
      'WORKDIR /src',
      'COPY . .',
      'RUN npm ci --no-audit --no-fund --ignore-scripts',
      'ARG VERSION',
      `RUN AGENT_SANDBOX_VERSION="\${VERSION}" npx tsx scripts/bundle.ts ${program.name}`,
      `RUN mkdir -p /out && cp ${PROGRAMS[program.name].split ? `-r dist/bundle/${program.name} ` : ''}dist/bundle/${program.name}.mjs /out/`,
      // What cannot be part of one file: native code, and files that are looked for beside others.
      ...program.modules.map(name => `RUN mkdir -p /out/node_modules/${name} && cp -r node_modules/${name}/. /out/node_modules/${name}/`),
      '',
    );
  }
  if (pypi !== undefined) {
    lines.push(
      'FROM ${NODE_IMAGE} AS pypi',
      `RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && ${APT_CLEAN}`,
      `COPY images/${pypi}/requirements.txt /requirements.txt`,
      `RUN python3 -m pip install --no-cache-dir --no-compile --require-hashes --only-binary :all: --target /out${SITE} -r /requirements.txt`,
      // Programs in bin/ are left out, as in the archive: `python3 -m` takes their place.
      `RUN cd /out${SITE} && rm -rf bin && for folder in share etc; do if [ -e $folder ]; then mv $folder /out/usr/local/; fi; done`,
      '',
    );
  }
  if (npm !== undefined) {
    lines.push(
      'FROM ${NODE_IMAGE} AS npm',
      `RUN apt-get update && apt-get install -y --no-install-recommends g++ libkrb5-dev make pkg-config python3 && ${APT_CLEAN}`,
      `COPY images/${npm}/package.json images/${npm}/package-lock.json /opt/npm/`,
      `RUN cd /opt/npm && npm ci --omit=dev --no-audit --no-fund && find . ${NPM_LEFTOVERS.map(each => /^[\w./+-]+$/.test(each) ? each : `'${each}'`).join(' ')}`,
      '',
    );
  }
  lines.push(
    'FROM ${NODE_IMAGE}',
    '# Nothing of the package managers is needed at run time.',
    'RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-* /usr/local/bin/yarn*',
  );
  if (debian.length > 0) {
    lines.push('RUN apt-get update \\', ` && apt-get install -y --no-install-recommends ${[...debian].sort().join(' ')} \\`, ` && ${APT_CLEAN}`);
  }
  if (folders.length > 0) {
    lines.push(`RUN mkdir -p ${folders.join(' ')} && chown ${user}:${user} ${folders.join(' ')}`);
  }
  lines.push(
    ...(pypi === undefined ? [] : ['COPY --from=pypi /out /']),
    ...(npm === undefined ? [] : ['COPY --from=npm /opt/npm /opt/npm']),
    ...(program === undefined ? [] : [`COPY --from=build /out ${program.folder}`]),
    ...Object.entries(files).map(([path, mode]) => `COPY --chmod=${mode.toString(8).padStart(4, '0')} images/${image}/files${path} ${path}`),
    ...Object.entries(env).map(([name, value]) => `ENV ${name}=${value}`),
    `WORKDIR ${workingDir}`,
    '# A number, so that Kubernetes can tell that it is not root.',
    `USER ${user}:${user}`,
    ...ports.map(port => `EXPOSE ${port}`),
    `ENTRYPOINT ${JSON.stringify(entrypoint)}`,
  );
  return `${lines.join('\n')}\n`;
}
