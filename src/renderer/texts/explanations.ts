/**
 * What each number and picture means: formula, unit, source. The Explain panel shows these and nothing else.
 *
 * Formulas use plain letters with `_` for subscripts; the panel sets them.
 */

/** One explanation. */
export interface Explanation {
  readonly title: string;
  readonly meaning: string;
  readonly formulas: readonly string[];
  readonly unit: string;
  readonly source: string;
}

/** All explanations by topic. */
export const EXPLANATIONS = {
  lag: {
    title: 'How far the last state reaches back',
    meaning:
      'Each point is the size of the exact Jacobian of the last state with respect to the input a number of steps earlier: how much a small change of that input still moves the last state. The line is the geometric mean over the sequences, the band runs from the smallest to the largest, the dashed line is the fitted slope. An exact zero has no logarithm and is drawn as a bar on the rail marked 0.',
    formulas: [
      '‖∂h_T/∂x_s‖_F = sqrt(Σ_{u,d} (∂h_T[u]/∂x_s[d])²)',
      'lag k = T − s',
      '∂s_T/∂x_s = A_T A_{T−1} … A_{s+1} B_s',
    ],
    unit: 'State units per input unit, on a scale of decades',
    source: 'Hochreiter 1991; Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013 (arXiv 1211.5063)',
  },
  verdict: {
    title: 'The verdict',
    meaning:
      'The fitted line is carried to the span (the larger of T and 100 steps) and compared with lag 0, the early drop included. When the whole 95 % interval of that change lies below a factor of 1/1000 the gradient is vanishing, above 1000 exploding, between them carried; otherwise the run does not decide and the verdict is undetermined.',
    formulas: ['D = a + β · span − ln‖∂h_T/∂x_T‖', 'vanishing: D < ln 10⁻³', 'exploding: D > −ln 10⁻³'],
    unit: 'D in nats',
    source: 'Least squares with Newey-West standard errors (Newey and West 1987); thresholds stated above',
  },
  slope: {
    title: 'Slope',
    meaning: 'Change of the log norm per step of lag, by least squares over all lags but the first tenth.',
    formulas: ['ln‖∂h_T/∂x_{T−k}‖ = a + β k'],
    unit: 'Nats per step; −0.0693 halves the gradient every 10 steps',
    source: 'Chen, Pennington and Schoenholz 2018 (arXiv 1806.05394), maximum timescale',
  },
  halfLife: {
    title: 'Half-life',
    meaning:
      'Steps after which the fitted gradient has halved (or, when it grows, doubled). Given only where the interval of the slope leaves out zero.',
    formulas: ['k_½ = ln 2 / |β|'],
    unit: 'Steps',
    source: 'Follows from the fitted slope',
  },
  horizon: {
    title: 'Horizon',
    meaning:
      'The first lag from which the norm stays below a thousandth of its value at lag 0. “> T” says that this does not happen within the run.',
    formulas: ['min k such that ‖∂h_T/∂x_{T−j}‖ < 10⁻³ ‖∂h_T/∂x_T‖ for all j ≥ k'],
    unit: 'Steps',
    source: 'Hochreiter 1991; the threshold is 10⁻³ of lag 0',
  },
  confidence: {
    title: 'Confidence',
    meaning:
      'Normal probability that the change over the span lies on the side that the verdict names, from the variance between sequences and that of the fit.',
    formulas: ['P(D on the label’s side), D ~ N(mean, variance)'],
    unit: 'Share',
    source: 'Normal approximation of D',
  },
  exponent: {
    title: 'Largest exponent',
    meaning:
      'Mean growth per step of a vector pushed through the state Jacobians of the run. It stands beside the verdict and does not make it.',
    formulas: ['λ_1 = lim 1/T · ln‖A_T … A_1 v‖'],
    unit: 'Nats per step',
    source: 'Vogt et al. 2020 (arXiv 2006.14123); Engelken, Wolf and Abbott 2020 (arXiv 2006.02427)',
  },
  saturation: {
    title: 'Saturated gates',
    meaning:
      'Share of all gate values below 0.1 (left) and above 0.9 (right). A gate that is always saturated on one side passes no gradient of its own.',
    formulas: ['left = P(gate < 0.1)', 'right = P(gate > 0.9)'],
    unit: 'Share of timesteps, sequences and units',
    source: 'Karpathy, Johnson and Fei-Fei 2015 (arXiv 1506.02078)',
  },
  forget: {
    title: 'Forget timescale',
    meaning:
      'Steps in which a cell that is left alone falls to 1/e, from the mean forget gate of each unit: the median and the longest.',
    formulas: ['τ = −1 / ln f'],
    unit: 'Steps',
    source: 'Mahto et al. 2020 (arXiv 2009.12727); Can, Krishnamurthy and Schwab 2020 (arXiv 2002.00025)',
  },
  steps: {
    title: 'Per timestep',
    meaning:
      'The exact Jacobian of each state with respect to the input of the same timestep. The curve is its Frobenius norm; the maps show the norm of each row (one unit against all features) and of each column (all units against one feature). The strip below shows the signed entries of one unit or one feature.',
    formulas: [
      '∂h_t/∂x_t and ∂c_t/∂x_t, [H, D] at each t',
      'row u: sqrt(Σ_d (∂h_t[u]/∂x_t[d])²)',
      'column d: sqrt(Σ_u (∂h_t[u]/∂x_t[d])²)',
    ],
    unit: 'State units per input unit, on a scale of decades',
    source:
      'Closed forms of the step Jacobians of SimpleRNN, LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al. 2014)',
  },
  flow: {
    title: 'Flow map',
    meaning:
      'Each cell is the size of the exact Jacobian of a state at the target step t with respect to the input (or the whole state) at the source step s. The diagonal is lag 0; the further to the lower left, the longer the lag. A bright column is an input that is remembered, a dark band a stretch that nothing crosses. What comes after t in the order of computing cannot matter and is left blank.',
    formulas: [
      '‖∂h_t/∂x_s‖_F = sqrt(Σ_{u,d} (∂h_t[u]/∂x_s[d])²)',
      '∂s_t/∂x_s = A_t A_{t−1} … A_{s+1} B_s',
      '∂s_t/∂s_s = A_t A_{t−1} … A_{s+1}',
    ],
    unit: 'State units per input unit (∂s/∂s: dimensionless), on a scale of decades',
    source: 'Pascanu, Mikolov and Bengio 2013 (arXiv 1211.5063); products of the closed-form step Jacobians',
  },
  block: {
    title: 'One pair of steps',
    meaning:
      'The whole Jacobian behind one cell of the flow map, computed when the cell is chosen: each row is a unit of the state at step t, each column a feature of the input at step s. Its Frobenius norm is the number on the map.',
    formulas: ['∂h_t[u]/∂x_s[d]', 'log₁₀‖·‖_F of the block = the cell'],
    unit: 'State units per input unit',
    source: 'As for the flow map',
  },
  units: {
    title: 'Which units reach back',
    meaning:
      'The norm of each row of the Jacobian of the last state, against the source step: one unit of the last state against all features of one input.',
    formulas: ['sqrt(Σ_d (∂h_T[u]/∂x_s[d])²)'],
    unit: 'State units per input unit, on a scale of decades',
    source: 'As for the curve',
  },
  states: {
    title: 'States and gates',
    meaning: 'The state or gate of every unit at every timestep, as the layer computes it on this input.',
    formulas: [
      'LSTM: c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = o ⊙ ψ(c_t)',
      'GRU: h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n',
      'SimpleRNN: h_t = φ(W x_t + U h_{t−1} + b)',
    ],
    unit: 'Dimensionless',
    source: 'Hochreiter and Schmidhuber 1997; Cho et al. 2014; gates are named i f g o and z r n',
  },
  weights: {
    title: 'Weights',
    meaning:
      'One gate’s block of a kernel. The kernel is drawn as inputs × units, the recurrent kernel as previous units × units. Spectral norm is the largest singular value, spectral radius the largest absolute eigenvalue; the margin is the largest distance of a singular value from 1.',
    formulas: ['σ_max(U)', 'ρ(U) = max |eig(U)|', 'max_i |σ_i(U) − 1|'],
    unit: 'Dimensionless; statistics are of the population',
    source: 'Pascanu, Mikolov and Bengio 2013 (arXiv 1211.5063); Arjovsky, Shah and Bengio 2016 (arXiv 1511.06464)',
  },
} as const satisfies Readonly<Record<string, Explanation>>;

/** The topics that can be explained. */
export type Topic = keyof typeof EXPLANATIONS;
