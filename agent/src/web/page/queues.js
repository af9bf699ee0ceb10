// The three queues, and who comes next in them.

import { get } from "./api.js";

// What waits for a person first.
export const QUEUES = ["review", "drawn", "all"];

// Where a coil stands in its queue: who is before and behind it. `next()` asks again, for what is behind may have been
// judged elsewhere meanwhile; it gives an id, or null where the queue is empty.
export async function place(queue, id) {
  const ids = await read(queue);
  const at = ids.indexOf(id);
  const behind = at < 0 ? [] : ids.slice(at + 1);
  return {
    before: at > 0 ? ids[at - 1] : null,
    behind: behind[0] ?? null,
    next: async () => {
      const now = await read(queue);
      return behind.find((other) => now.includes(other)) ?? now.find((other) => other !== id) ?? null;
    },
  };
}

async function read(queue) {
  const { coils } = await get("/coils", { queue, limit: 200 });
  return coils.map((coil) => coil.decision_id);
}
