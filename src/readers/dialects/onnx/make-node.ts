/** Nodes and attributes that stand in no file: what readers put in the place of others. */
import type { OnnxAttribute, OnnxNode } from './model';

/**
 * A node of the default domain.
 *
 * @param node - Its operator, and what it has.
 */
export function makeNode(node: Partial<OnnxNode> & Pick<OnnxNode, 'operator'>): OnnxNode {
  return { name: '', domain: '', overload: '', inputs: [], outputs: [], attributes: new Map(), ...node };
}

/**
 * An attribute with one member filled.
 *
 * @param of - The member.
 */
export function makeAttribute(of: Partial<OnnxAttribute>): OnnxAttribute {
  return { ...EMPTY, ...of };
}

const EMPTY: OnnxAttribute = {
  float: null,
  integer: null,
  text: null,
  tensor: null,
  graph: null,
  floats: [],
  integers: [],
  texts: [],
  reference: null,
};
