// The kernels as a table of functions, so that one text runs either the fast versions or the references.
#pragma once
#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/kernels/fake_quant/groups.h"
#include "detent/kernels/hadamard/hadamard.h"
#include "detent/kernels/noise/noise.h"
#include "detent/kernels/optimizer/optimizer.h"
#include "detent/kernels/pull/pull.h"

namespace detent::kernels {

struct KernelSet {
  decltype(&group_stats) stats;
  decltype(&group_scales) scales;
  decltype(&quantize_groups) quantize;
  decltype(&dequantize_group) dequantize;
  decltype(&learned_backward_group) learned_backward;
  decltype(&apply_mask) mask_gradient;
  decltype(&hadamard) rotate, rotate_streamed;
  decltype(&adamw_row) adamw;
  decltype(&sgd_row) sgd;
  decltype(&pull_quantized) pull;
  decltype(&sum_squares) squares;
  decltype(&add_gaussian) noise;
};

inline constexpr KernelSet kFastKernels = {
    &group_stats,    &group_scales, &quantize_groups,   &dequantize_group, &learned_backward_group,
    &apply_mask,     &hadamard,     &hadamard_streamed, &adamw_row,        &sgd_row,
    &pull_quantized, &sum_squares,  &add_gaussian};
inline constexpr KernelSet kReferenceKernels = {&reference::group_stats,
                                                &reference::group_scales,
                                                &reference::quantize_groups,
                                                &reference::dequantize_group,
                                                &reference::learned_backward_group,
                                                &reference::apply_mask,
                                                &reference::hadamard,
                                                &reference::hadamard,
                                                &reference::adamw_row,
                                                &reference::sgd_row,
                                                &reference::pull_quantized,
                                                &reference::sum_squares,
                                                &reference::add_gaussian};

}  // namespace detent::kernels
