import type { Construct } from 'constructs';
import { checkCalls } from '../checks';
import { Checks, type Finding } from '../findings';
import { manifestsOf, NetworkModel, type NetworkModelProps, placed, type PlacedManifest } from '../policy';
import { differencesOf, explain, type PostureDifference } from './difference';
import { entriesOf } from './entries';
import type { PostureEntry } from './fact';
import { pageOf } from './page/page';
import { jsonOf, junitOf, markdownOf, postureSarif } from './reports';
import { textOf } from './text';

/** What is on the page of a posture. */
export interface PosturePageOptions {
  /**
   * Title of the page.
   *
   * @default "Posture"
   */
  readonly title?: string;

  /**
   * The posture of an earlier state. The page begins with what has changed since.
   *
   * @default - no comparison
   */
  readonly before?: Posture;

  /**
   * Name of the earlier state, such as a branch or a revision.
   *
   * @default "before"
   */
  readonly beforeName?: string;
}

/** Sandboxes in the network matrix of a page. */
const MOST_ROWS = 200;

/**
 * What manifests mean for security, in short and sorted words: what isolates each template and Sandbox, who reaches it and what it reaches,
 * which secrets and rights it has, what is chosen and what is default. The text stays the same as long as the meaning does, so that it can be
 * committed, and reviewers see what an edit does.
 */
export class Posture {
  /**
   * The posture of an app, a chart or any other construct, with everything below it.
   *
   * @param scope the construct
   * @param cluster facts about the cluster, for what is said about the network
   * @throws if a CIDR is not well-formed
   */
  public static of(scope: Construct, cluster: NetworkModelProps = {}): Posture {
    return new Posture(manifestsOf(scope), Checks.of(scope), cluster);
  }

  /**
   * The posture of manifests: parsed YAML, or the objects of a cluster.
   *
   * @param manifests objects of Kubernetes; lists are opened
   * @param cluster facts about the cluster, for what is said about the network
   * @throws if a CIDR is not well-formed
   */
  public static ofManifests(manifests: any[], cluster: NetworkModelProps = {}): Posture {
    return new Posture(placed(manifests), Checks.ofManifests(manifests), cluster);
  }

  /** The posture of objects with their places. @internal */
  public static _ofPlaced(manifests: readonly PlacedManifest[], findings: readonly Finding[], cluster: NetworkModelProps = {}): Posture {
    return new Posture(manifests, findings, cluster);
  }

  /** What is true of each tenant, template, pool and Sandbox, and findings of other objects, in the order of the text. */
  public readonly entries: PostureEntry[];

  /** What the rules find wrong; see `Checks`. */
  public readonly findings: Finding[];

  private readonly model: NetworkModel;

  private constructor(private readonly manifests: readonly PlacedManifest[], findings: readonly Finding[], cluster: NetworkModelProps) {
    this.findings = [...findings];
    this.model = NetworkModel._ofPlaced(manifests, cluster);
    this.entries = entriesOf(manifests, this.model, findings);
  }

  /** The posture as text, for files that are committed and compared. Ends with a line break. */
  public toText(): string {
    return textOf(this.entries);
  }

  /** Entries and findings as JSON: `{ version, entries, findings }`, with the names that catalogues of others have for rules and topics. */
  public toJson(): string {
    return jsonOf(this.entries, this.findings);
  }

  /** The posture as Markdown, one table for each object: for comments on pull requests. Names from manifests are escaped. */
  public toMarkdown(): string {
    return markdownOf(this.entries);
  }

  /** Findings, and what weakens a sandbox as notes, as SARIF 2.1.0 for code scanning services. */
  public toSarif(): string {
    return postureSarif(this.entries, this.findings);
  }

  /**
   * The posture as JUnit XML, one suite for each object. Cases fail for findings.
   *
   * @param strict whether cases fail for warnings as well. Default: false
   */
  public toJunit(strict: boolean = false): string {
    return junitOf(this.entries, this.findings, strict);
  }

  /**
   * The posture as one HTML page: what has changed, the graph from tenant to claim, each object, the network matrix, and the findings. The page asks
   * for nothing outside of it, its Content-Security-Policy allows nothing else, and names from manifests are escaped.
   *
   * @param options title, and an earlier state to compare with
   */
  public toHtml(options: PosturePageOptions = {}): string {
    const matrix = this.model.matrix();
    return pageOf({
      title: options.title ?? 'Posture',
      manifests: this.manifests, entries: this.entries, findings: this.findings,
      matrix: matrix.slice(0, MOST_ROWS), isLeftOut: Math.max(0, matrix.length - MOST_ROWS),
      differences: options.before && this.differencesFrom(options.before),
      comparedWith: options.beforeName,
    });
  }

  /**
   * What has changed since another posture, object by object.
   *
   * @param before the posture of an earlier state
   */
  public differencesFrom(before: Posture): PostureDifference[] {
    return differencesOf(before.entries, this.entries);
  }

  /**
   * What has changed since another posture as text: `-` is what was true, `+` is what is true now. Empty if nothing has.
   *
   * @param before the posture of an earlier state
   */
  public explain(before: Posture): string {
    return explain(this.differencesFrom(before));
  }
}
checkCalls(Posture);
