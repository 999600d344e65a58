/**
 * What the numbers of a report mean: formula, unit and source of each.
 */
import { escapeHtml } from './html';

/** One explained quantity. */
interface Explained {
  readonly name: string;
  readonly formula: string;
  readonly text: string;
  readonly source: string;
}

const EXPLAINED: readonly Explained[] = [
  {
    name: 'Same-step Jacobian',
    formula: '∂h_t/∂x_t, ∂c_t/∂x_t',
    text: 'The whole dependence of the state after a step on the input of that step, one row per unit, one column per feature, in closed form from the pre-activations.',
    source: 'Hochreiter and Schmidhuber 1997 (LSTM); Cho et al. 2014 (GRU).',
  },
  {
    name: 'Jacobian of the last state',
    formula: '∂s_T/∂x_s = A_T A_{T-1} … A_{s+1} B_s,  A_t = ∂s_t/∂s_{t-1},  B_s = ∂s_s/∂x_s',
    text: 's = h for SimpleRNN and GRU, s = [h; c] for an LSTM. Rescaled by exact powers of two on the way, so nothing is lost to underflow.',
    source: 'Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio, arXiv:1211.5063.',
  },
  {
    name: 'Slope and half-life',
    formula: 'ln ‖∂h_T/∂x_{T-k}‖ ≈ a + βk;  half-life = ln 2 / |β|',
    text: 'Least squares over the lags k from T/10 on; the interval is 1.96 standard errors, from the spread between sequences and the autocorrelation within them (Newey and West 1987). β is in nats per step.',
    source: 'Newey and West, Econometrica 55 (1987).',
  },
  {
    name: 'Verdict',
    formula: 'D = a + β·span − l₀',
    text: 'The change of the log norm over the span asked for (at least 100 steps). Vanishing: the whole interval of D lies below ln 10⁻³; exploding: above ln 10³; carried: between them; else undetermined.',
    source: 'This program’s definition; the threshold is that of the horizon.',
  },
  {
    name: 'Horizon',
    formula: 'first k with ‖∂h_T/∂x_{T-k}‖ < 10⁻³ ‖∂h_T/∂x_T‖ from there on',
    text: 'In steps; “> T” where the norm does not fall that far within the run.',
    source: 'This program’s definition.',
  },
  {
    name: 'Largest exponent',
    formula: 'λ = (1/T) Σ ln |A_t q_{t-1}|,  q_0 = e_1',
    text: 'The leading Lyapunov exponent of the run, nats per step; it stands beside the verdict and does not decide it.',
    source: 'Vogt et al., arXiv:2006.14123; Engelken et al., arXiv:2006.02427.',
  },
  {
    name: 'Lyapunov spectrum',
    formula: 'λ_i = (1/T) Σ ln R_ii,t,  Q_t R_t = A_t Q_{t-1}',
    text: 'With the mode spectrum: the exponents of all directions that are pushed through the run, nats per step. Kaplan-Yorke dimension: k + Σ_{i≤k} λ_i / |λ_{k+1}|; entropy rate: the sum of the positive ones.',
    source: 'Vogt et al., arXiv:2006.14123; Engelken et al., arXiv:2006.02427.',
  },
  {
    name: 'Condition number and ranks',
    formula: 'κ = σ_1 / σ_S;  erank = exp(−Σ p ln p), p = σ / Σσ;  stable rank = Σσ² / σ_1²',
    text: 'Of the singular values of ∂s_T/∂s_{T-10} and of ∂s_T/∂s_0, each right relative to itself.',
    source: 'Engelken, arXiv:2312.17306; Roy and Vetterli 2007; Rudelson and Vershynin 2007.',
  },
  {
    name: 'Pascanu bound and chrono range',
    formula: 'σ_max(U) · max |φ′|;  1 / (1 − σ(b_f))',
    text: 'SimpleRNN: below 1 every gradient vanishes. LSTM: the steps of memory that the forget biases are set for.',
    source: 'Pascanu et al., arXiv:1211.5063; Tallec and Ollivier, arXiv:1804.11188.',
  },
  {
    name: 'Saturated gates',
    formula: 'share of (t, sequence, unit) with gate < 0.1 or > 0.9',
    text: 'A saturated gate passes no gradient to its own weights.',
    source: 'Karpathy, Johnson and Fei-Fei, arXiv:1506.02078.',
  },
  {
    name: 'Forget timescale',
    formula: 'τ = −1 / mean ln f',
    text: 'Steps over which a unit’s own gate lets its state decay to 1/e.',
    source: 'Mahto et al., arXiv:2009.12727.',
  },
];

/** The list of formulas as HTML. */
export function reportFormulas(): string {
  const entries = EXPLAINED.map(
    ({ name, formula, text, source }) =>
      `<dt>${escapeHtml(name)}</dt><dd><code>${escapeHtml(formula)}</code><br>${escapeHtml(text)} <span class="muted">${escapeHtml(source)}</span></dd>`,
  );
  return `<dl>${entries.join('')}</dl>`;
}
