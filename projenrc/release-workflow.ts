import { type GitHub, GithubWorkflow } from 'projen/lib/github';
import { type Job, JobPermission, type JobStep } from 'projen/lib/github/workflows-model';

/** Actions of others by commit, since a tag can be moved: what is reviewed is what runs. */
export const ACTIONS = {
  checkout: 'actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683', // v4.2.2
  setupNode: 'actions/setup-node@49933ea5288caeca8642d1e84afbd3f7d6820020', // v4.4.0
  setupGo: 'actions/setup-go@d35c59abb061a4a6fb18e82ac0862c26744d6ab5', // v5.5.0
  upload: 'actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02', // v4.6.2
  download: 'actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093', // v4.3.0
  attest: 'actions/attest-build-provenance@e8998f949152b193b063cb0ec769d69d929409be', // v2.4.0
} as const;

/** Every shell step ends with the first command that fails. */
const STRICT = 'set -euo pipefail';
/** The files of the manifest with a destination: path, and reference of an image. */
const filesFor = (destination: string) =>
  `node -p 'require("./manifest.json").files.filter(each => each.destination === "${destination}").map(each => [each.file, each.reference].join(" ").trim()).join("\\n")'`;

/** The shell of the jobs that publish, by job. They run in the folder of the release, and no code of the repository runs in them. */
const PUBLISH: { readonly [job: string]: readonly string[] } = {
  npm: [
    STRICT,
    // Trusted publishing: no token is stored, the registry knows the repository, this workflow and the environment.
    'case "$VERSION" in *-*) tag=next ;; *) tag=latest ;; esac',
    `files=$(${filesFor('npm')})`,
    'for file in $files; do npm publish "./$file" --access public --provenance --tag "$tag"; done',
  ],
  registry: [
    STRICT,
    'skopeo login ghcr.io --username "$GITHUB_ACTOR" --password-stdin <<< "$TOKEN"',
    `images=$(${filesFor('container registry')})`,
    'while read -r file reference; do',
    // By the digest that charts and installations name: nothing is compressed anew.
    '  skopeo copy --preserve-digests "oci-archive:$file" "docker://${reference%@*}:$VERSION"',
    'done <<< "$images"',
    'helm registry login ghcr.io --username "$GITHUB_ACTOR" --password-stdin <<< "$TOKEN"',
    `chart=$(${filesFor('Helm repository (OCI)')})`,
    'helm push "$chart" "oci://ghcr.io/$GITHUB_REPOSITORY_OWNER/charts"',
  ],
  github: [
    STRICT,
    `files=$(${filesFor('GitHub release')})`,
    'case "$VERSION" in *-*) kind=--prerelease ;; *) kind=--latest ;; esac',
    // Word splitting is meant: paths of a release have no spaces.
    '# shellcheck disable=SC2086',
    'gh release create "v$VERSION" --repo "$GITHUB_REPOSITORY" --verify-tag "$kind" --title "$VERSION" --generate-notes manifest.json provenance.json SHA256SUMS $files',
  ],
};

/** What every job that publishes does first: exactly the files that were built, with their checksums. */
const CHECK_FILES = [STRICT, 'sha256sum --check --strict --quiet SHA256SUMS'];

const FOLDER = 'release';
const ENV = { VERSION: '${{ needs.build.outputs.version }}' };

function publishJob(shell: readonly string[], permissions: Job['permissions'], env: Record<string, string> = {}, before: readonly JobStep[] = []): Job {
  return {
    needs: ['build'],
    runsOn: ['ubuntu-24.04'],
    // A person approves what is published.
    environment: 'release',
    permissions,
    steps: [
      ...before,
      { name: 'Get the files', uses: ACTIONS.download, with: { name: FOLDER, path: FOLDER } },
      { name: 'Check them', workingDirectory: FOLDER, run: CHECK_FILES.join('\n') },
      { name: 'Publish them', workingDirectory: FOLDER, env: { ...ENV, ...env }, run: shell.join('\n') },
    ],
  };
}

/** The shell of the job that makes the files. */
const BUILD = {
  version: [STRICT, 'test "$GITHUB_REF_NAME" = "v$(cat VERSION)" || { echo "the tag $GITHUB_REF_NAME is not v$(cat VERSION), the version of the tree" >&2; exit 1; }',
    'echo "version=$(cat VERSION)" >> "$GITHUB_OUTPUT"'],
  install: [STRICT, 'sudo apt-get update -qq', 'sudo apt-get install -qq -y --no-install-recommends mmdebstrap', 'npm ci --no-audit --no-fund'],
  // Debian's layers are unpacked as root.
  make: [STRICT, 'sudo env "PATH=$PATH" npm run release -- "$VERSION"', 'sudo chown -R "$(id -u):$(id -g)" dist'],
};

/** Publishes on a tag `v…` exactly the files that `npm run release` makes from it. Each job has the rights of its one destination. */
export function addReleaseWorkflow(github: GitHub): void {
  const workflow = new GithubWorkflow(github, 'release', { limitConcurrency: true, concurrencyOptions: { group: 'release', cancelInProgress: false } });
  workflow.on({ push: { tags: ['v[0-9]+.[0-9]+.[0-9]+*'] } });
  workflow.addJobs({
    build: {
      runsOn: ['ubuntu-24.04'],
      permissions: { contents: JobPermission.READ },
      outputs: { version: { stepId: 'version', outputName: 'version' } },
      steps: [
        { name: 'Check out', uses: ACTIONS.checkout, with: { 'persist-credentials': false } },
        { name: 'Set up Node', uses: ACTIONS.setupNode, with: { 'node-version': '24' } },
        { name: 'Find the version', id: 'version', run: BUILD.version.join('\n') },
        { name: 'Install', run: BUILD.install.join('\n') },
        { name: 'Make the release', env: { VERSION: '${{ steps.version.outputs.version }}' }, run: BUILD.make.join('\n') },
        { name: 'Keep the files', uses: ACTIONS.upload, with: { 'name': FOLDER, 'path': 'dist/release', 'if-no-files-found': 'error' } },
      ],
    },
    npm: publishJob(PUBLISH.npm, { contents: JobPermission.READ, idToken: JobPermission.WRITE }, {}, [
      { name: 'Set up Node', uses: ACTIONS.setupNode, with: { 'node-version': '24', 'registry-url': 'https://registry.npmjs.org' } },
    ]),
    registry: publishJob(PUBLISH.registry, { contents: JobPermission.READ, packages: JobPermission.WRITE }, { TOKEN: '${{ github.token }}' }),
    attest: {
      needs: ['build'],
      runsOn: ['ubuntu-24.04'],
      permissions: { contents: JobPermission.READ, idToken: JobPermission.WRITE, attestations: JobPermission.WRITE },
      steps: [
        { name: 'Get the files', uses: ACTIONS.download, with: { name: FOLDER, path: FOLDER } },
        { name: 'Sign where they come from', uses: ACTIONS.attest, with: { 'subject-checksums': `${FOLDER}/SHA256SUMS` } },
      ],
    },
    // Last, so that what it announces is there.
    github: { ...publishJob(PUBLISH.github, { contents: JobPermission.WRITE }, { GH_TOKEN: '${{ github.token }}' }), needs: ['build', 'npm', 'registry', 'attest'] },
  });
}
