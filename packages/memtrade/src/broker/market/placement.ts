/**
 * Placement: chooses the producers for a request for slabs.
 *
 * It is greedy: the producer with the most free slabs gives first, as many as it has. So a request is spread over few
 * producers, and free memory evens out over the market. Producers with several complaints give last. A request may be
 * met in part, down to its minimum. Pure: the same offers and the same request give the same placement.
 */

/** The slabs that one producer could give now. */
export interface ProducerOffer {
  readonly producer: string;
  /** Offered slabs less those in live leases; never negative. */
  readonly freeSlabs: number;
  /** True when several consumers complained that it changes values. */
  readonly isDoubtful?: boolean;
}

export interface Placement {
  readonly producer: string;
  readonly slabs: number;
}

export interface PlacementRequest {
  readonly slabs: number;
  /** With fewer free slabs nothing is placed. */
  readonly minimumSlabs: number;
  /** Largest number of producers to spread over. */
  readonly producersMax: number;
}

/** One entry for each producer; empty when fewer slabs than the minimum are free. */
export function place(offers: readonly ProducerOffer[], request: PlacementRequest): Placement[] {
  const mostFreeFirst = offers
    .filter((offer) => offer.freeSlabs > 0)
    .sort(
      (a, b) => doubtOf(a) - doubtOf(b) || b.freeSlabs - a.freeSlabs || (a.producer < b.producer ? -1 : 1),
    );
  const placements: Placement[] = [];
  let wanted = request.slabs;
  for (const offer of mostFreeFirst.slice(0, request.producersMax)) {
    if (wanted === 0) break;
    const slabs = Math.min(wanted, offer.freeSlabs);
    placements.push({ producer: offer.producer, slabs });
    wanted -= slabs;
  }
  return request.slabs - wanted >= Math.max(1, request.minimumSlabs) ? placements : [];
}

function doubtOf({ isDoubtful }: ProducerOffer): number {
  return isDoubtful === true ? 1 : 0;
}
