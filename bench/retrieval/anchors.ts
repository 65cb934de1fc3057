/** Recall that a publication reports on 1000 questions of a set, in percent. Theirs are other questions than ours. */
export interface Anchor {
  readonly system: string
  readonly at2: number
  readonly at5: number
}

// arXiv 2502.14802, table 9; GFM-RAG, table 1.
const anchors: Readonly<Record<string, readonly Anchor[]>> = {
  musique: [
    { system: 'BM25', at2: 32.4, at5: 43.5 },
    { system: 'NV-Embed-v2 (7B)', at2: 52.7, at5: 69.7 },
    { system: 'GFM-RAG', at2: 49.1, at5: 58.2 },
    { system: 'HippoRAG 2', at2: 56.1, at5: 74.7 },
  ],
  '2wikimultihopqa': [
    { system: 'BM25', at2: 55.3, at5: 65.3 },
    { system: 'NV-Embed-v2 (7B)', at2: 67.1, at5: 76.5 },
    { system: 'GFM-RAG', at2: 90.8, at5: 95.6 },
    { system: 'HippoRAG 2', at2: 76.2, at5: 90.4 },
  ],
  hotpotqa: [
    { system: 'BM25', at2: 57.3, at5: 74.8 },
    { system: 'NV-Embed-v2 (7B)', at2: 84.1, at5: 94.5 },
    { system: 'GFM-RAG', at2: 78.3, at5: 87.1 },
    { system: 'HippoRAG 2', at2: 83.5, at5: 96.3 },
  ],
}

/** What others have reported on a set of that name. */
export function publishedAnchors(set: string): readonly Anchor[] {
  return anchors[set] ?? []
}
