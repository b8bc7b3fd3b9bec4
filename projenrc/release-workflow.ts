import { type GitHub, GithubWorkflow } from 'projen/lib/github';
import { type Job, JobPermission, type JobStep } from 'projen/lib/github/workflows-model';

/** Actions of others by commit, since a tag can be moved: what is reviewed is what runs. */
export const ACTIONS = {
  checkout: 'actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683', // v4.2.2
  setupNode: 'actions/setup-node@49933ea5288caeca8642d1e84afbd3f7d6820020', // v4.4.0
  setupGo: 'actions/setup-go@d35c59abb061a4a6fb18e82ac0862c26744d6ab5', // v5.5.0
  upload: 'actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02', // v4.6.2
  download: 'actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093', // v4.3.0
  pypiPublish: 'pypa/gh-action-pypi-publish@76f52bc884231f62b9a034ebfe128415bbaabdfc', // v1.12.4
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
  maven: [
    STRICT,
    `files=$(${filesFor('Maven Central')})`,
    // Maven Central knows no trusted publishing: it asks for a signature, checksums and a token.
    'export GNUPGHOME=$(mktemp -d)',
    'gpg --batch --quiet --import <<< "$SIGNING_KEY"',
    'for file in $files; do',
    '  gpg --batch --pinentry-mode loopback --passphrase-fd 0 --armor --detach-sign "$file" <<< "$SIGNING_PASSPHRASE"',
    '  md5sum "$file" | cut -d " " -f 1 > "$file.md5"',
    '  sha1sum "$file" | cut -d " " -f 1 > "$file.sha1"',
    'done',
    '(cd maven && zip --quiet --recurse-paths ../bundle.zip .)',
    'curl --fail --silent --show-error --config - --form bundle=@bundle.zip \\',
    '  "https://central.sonatype.com/api/v1/publisher/upload?name=$VERSION&publishingType=AUTOMATIC" <<< "header = \\"Authorization: Bearer $TOKEN\\""',
  ],
  go: [
    STRICT,
    `modules=$(${filesFor('Go module proxy')})`,
    // Proxies of Go take the module from a tag. Its commit has this folder alone, and no history.
    'while read -r file reference; do',
    '  name="${reference##*/}"',
    '  tag="${name%@*}/${name#*@}"',
    '  git init --quiet module',
    '  tar -xzf "$file" -C module',
    '  git -C module add --all',
    '  git -C module -c user.name="$GITHUB_ACTOR" -c user.email="$GITHUB_ACTOR@users.noreply.github.com" commit --quiet --message "$tag"',
    '  git -C module tag "$tag"',
    '  gh auth setup-git',
    '  git -C module push --quiet "https://github.com/$GITHUB_REPOSITORY.git" "refs/tags/$tag"',
    'done <<< "$modules"',
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
const GET_FILES: readonly JobStep[] = [
  { name: 'Get the files', uses: ACTIONS.download, with: { name: FOLDER, path: FOLDER } },
  { name: 'Check them', workingDirectory: FOLDER, run: CHECK_FILES.join('\n') },
];
const ENV = { VERSION: '${{ needs.build.outputs.version }}' };

function publishJob(shell: readonly string[], permissions: Job['permissions'], env: Record<string, string> = {}, before: readonly JobStep[] = []): Job {
  return {
    needs: ['build', 'test'],
    runsOn: ['ubuntu-24.04'],
    // A person approves what is published.
    environment: 'release',
    permissions,
    steps: [
      ...before,
      ...GET_FILES,
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

/** The shell of the job that installs each file in an empty folder and uses it. */
const TEST = [STRICT, 'npm ci --no-audit --no-fund', 'npx tsx testbed/src/cli.ts build --if-missing --group tools', `npm run test:languages -- --all --again --release "$GITHUB_WORKSPACE/${FOLDER}"`];

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
        // All of it, for the tags of earlier releases: their API is compared.
        { name: 'Check out', uses: ACTIONS.checkout, with: { 'persist-credentials': false, 'fetch-depth': 0 } },
        { name: 'Set up Node', uses: ACTIONS.setupNode, with: { 'node-version': '24' } },
        { name: 'Find the version', id: 'version', run: BUILD.version.join('\n') },
        { name: 'Install', run: BUILD.install.join('\n') },
        { name: 'Make the release', env: { VERSION: '${{ steps.version.outputs.version }}' }, run: BUILD.make.join('\n') },
        { name: 'Keep the files', uses: ACTIONS.upload, with: { 'name': FOLDER, 'path': 'dist/release', 'if-no-files-found': 'error' } },
      ],
    },
    // Code of the repository and of registries runs here, so there is nothing to steal: no secret, and no right to write.
    test: {
      needs: ['build'],
      runsOn: ['ubuntu-24.04'],
      permissions: { contents: JobPermission.READ },
      steps: [
        { name: 'Check out', uses: ACTIONS.checkout, with: { 'persist-credentials': false } },
        { name: 'Set up Node', uses: ACTIONS.setupNode, with: { 'node-version': '24' } },
        { name: 'Set up Go', uses: ACTIONS.setupGo, with: { 'go-version': '1.26' } },
        ...GET_FILES,
        { name: 'Install and use each file', run: TEST.join('\n') },
      ],
    },
    npm: publishJob(PUBLISH.npm, { contents: JobPermission.READ, idToken: JobPermission.WRITE }, {}, [
      { name: 'Set up Node', uses: ACTIONS.setupNode, with: { 'node-version': '24', 'registry-url': 'https://registry.npmjs.org' } },
    ]),
    pypi: {
      ...publishJob([], { contents: JobPermission.READ, idToken: JobPermission.WRITE }),
      steps: [...GET_FILES, { name: 'Publish them', uses: ACTIONS.pypiPublish, with: { 'packages-dir': `${FOLDER}/pypi` } }],
    },
    maven: publishJob(PUBLISH.maven, { contents: JobPermission.READ }, {
      TOKEN: '${{ secrets.MAVEN_CENTRAL_TOKEN }}', SIGNING_KEY: '${{ secrets.MAVEN_SIGNING_KEY }}', SIGNING_PASSPHRASE: '${{ secrets.MAVEN_SIGNING_PASSPHRASE }}',
    }),
    go: publishJob(PUBLISH.go, { contents: JobPermission.WRITE }, { GH_TOKEN: '${{ github.token }}' }),
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
    github: { ...publishJob(PUBLISH.github, { contents: JobPermission.WRITE }, { GH_TOKEN: '${{ github.token }}' }), needs: ['build', 'npm', 'pypi', 'maven', 'go', 'registry', 'attest'] },
  });
}
