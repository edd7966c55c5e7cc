import { ActionNeededError } from "#core/errors";
import type { Logger } from "#core/logger";
import type { Deliveries } from "../intake/deliveries.ts";
import type { ControllerMetrics } from "../metrics.ts";
import { reportShared } from "../review/report-shared.ts";
import { type ReconcileDeps, type Reconciled, reconcileProject } from "./reconcile-project.ts";

export interface ProjectWorkDeps {
  reconcile: ReconcileDeps;
  deliveries: Deliveries;
  metrics: ControllerMetrics;
  logger: Logger;
  /** What this user's repository asks for may have changed. */
  onUser(user: string): void;
  /** Something of this project has changed that its merge requests are measured by. */
  onMoved(projectId: number): Promise<void>;
}

/** The work on one project, from its nudge to what the deliveries behind it are told. */
export class ProjectWork {
  readonly #deps: ProjectWorkDeps;
  /** Up to which delivery the work under way counts, by path of its project. */
  readonly #marks = new Map<string, number>();
  /** Heads that were refused for their size: fetching them again would only cost. */
  readonly #tooLarge = new Map<string, string>();
  readonly #toldOfShared = new Map<string, string>();

  constructor(deps: ProjectWorkDeps) {
    this.#deps = deps;
  }

  async reconcile(path: string): Promise<void> {
    const { deliveries, metrics, logger } = this.#deps;
    const upTo = deliveries.mark();
    this.#marks.set(path, upTo);
    const end = metrics.reconcileSeconds.startTimer();
    try {
      const result = await reconcileProject(this.#deps.reconcile, path);
      end({ outcome: result.outcome });
      deliveries.settle(path, { upTo, ...result, reason: result.summary });
      this.#marks.delete(path);
      await this.#tell(path, result);
      logger.info({ project: path, ...result }, "project reconciled");
    } catch (error) {
      end({ outcome: "failed" });
      if (!(error instanceof ActionNeededError) || error.code !== "REPOSITORY_TOO_LARGE") throw error;
      await this.#refuse(path, upTo, error);
    }
  }

  /** The last attempt has failed; the deliveries behind it are told why. */
  givenUp(path: string, reason: string): void {
    const { deliveries } = this.#deps;
    const upTo = this.#marks.get(path) ?? deliveries.mark();
    deliveries.settle(path, { upTo, outcome: "failed", reason });
  }

  /** The head of a project that was refused for its size. */
  refusedHead(path: string): string | undefined {
    return this.#tooLarge.get(path);
  }

  async #tell(path: string, { outcome }: Reconciled): Promise<void> {
    const { reconcile, onUser, onMoved } = this.#deps;
    const { tracked } = reconcile;
    const role = tracked.role(path);
    if (role.kind === "shared") await reportShared(reconcile, this.#toldOfShared);
    if (role.kind === "user") onUser(role.user);
    const known = tracked.project(path);
    if (known && outcome !== "unchanged") await onMoved(known.id);
  }

  /** Asking again does not make it smaller; the sender finds the reason at the delivery. */
  async #refuse(path: string, upTo: number, error: ActionNeededError): Promise<void> {
    const { reconcile, deliveries, logger } = this.#deps;
    const project = reconcile.tracked.project(path);
    const head = project && (await reconcile.forge.head(project).catch(() => undefined));
    if (head !== undefined) this.#tooLarge.set(path, head);
    deliveries.settle(path, { upTo, outcome: "refused", reason: error.message });
    logger.warn({ project: path, err: error.message }, "project refused");
  }
}
