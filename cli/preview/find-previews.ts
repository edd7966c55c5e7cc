import { ActionNeededError } from "#core/errors";
import type { Items } from "#schemas/api";
import type { PreviewsView } from "#schemas/preview-view";
import type { ApiClient } from "../api/api-client.ts";
import { ownRepository } from "../library/library-path.ts";

export async function previewsOf(api: ApiClient, user: string | undefined): Promise<PreviewsView[]> {
  const owner = await ownRepository(api, user);
  return (await api.get<Items<PreviewsView>>(`/users/${encodeURIComponent(owner)}/previews`)).items;
}

/** Those of one merge request; `!12`, as people write it, is 12. Errors: `PREVIEW_NOT_FOUND`. */
export async function findPreviews(
  api: ApiClient,
  id: string,
  user: string | undefined,
): Promise<PreviewsView> {
  const owner = await ownRepository(api, user);
  const name = id.replace(/^!/, "");
  return await api.get<PreviewsView>(
    `/users/${encodeURIComponent(owner)}/previews/${encodeURIComponent(name)}`,
  );
}

/** The twin that is meant, or the only one. Errors: `TWIN_NOT_FOUND`. */
export function twinOf(previews: PreviewsView, name: string | undefined): PreviewsView["twins"][number] {
  const { twins } = previews;
  const found =
    name === undefined
      ? twins.length === 1
        ? twins[0]
        : undefined
      : twins.find(({ twin }) => twin === name);
  if (found) return found;
  const names = twins.map(({ twin }) => twin).join(", ");
  throw new ActionNeededError(
    "TWIN_NOT_FOUND",
    name === undefined
      ? `merge request ${previews.id} has previews of several twins`
      : `merge request ${previews.id} has no preview of ${name}`,
    { hint: `name one of ${names}` },
  );
}
