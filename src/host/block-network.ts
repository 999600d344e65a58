/**
 * Loaded first in every process of Tempograd: from here on, nothing in this process can reach a network.
 */
import { blockNetwork } from './network-guard';

blockNetwork();
