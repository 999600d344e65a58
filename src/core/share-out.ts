/** How a list of costs is cut into consecutive parts of about the same cost. */

/**
 * The part of a list that falls to one of several shares: consecutive, none empty while there are enough.
 *
 * The cuts depend on the costs and on the number of shares alone, so that every share finds the same ones.
 *
 * @param costs - Cost of each piece, in any unit; not negative.
 * @param index - Which share, from 0.
 * @param count - Number of shares.
 * @returns Numbers of the first piece, and of the first that is no longer in the share.
 */
export function shareOf(
  costs: ArrayLike<number>,
  index: number,
  count: number,
): { readonly first: number; readonly end: number } {
  const before = new Float64Array(costs.length + 1);
  for (let piece = 0; piece < costs.length; piece++) before[piece + 1] = before[piece]! + costs[piece]!;
  const total = before[costs.length]!;
  const cuts = [0];
  for (let share = 1; share <= count; share++) {
    const previous = cuts[share - 1]!;
    const goal = (total * share) / count;
    let cut = previous;
    // A piece goes where the larger half of it lies.
    while (cut < costs.length && (before[cut]! + before[cut + 1]!) / 2 < goal) cut++;
    const least = Math.min(previous + 1, costs.length);
    const most = Math.max(least, costs.length - (count - share));
    cuts.push(share === count ? costs.length : Math.min(Math.max(cut, least), most));
  }
  return { first: cuts[index]!, end: cuts[index + 1]! };
}
