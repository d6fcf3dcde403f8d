// The tensors that compressed-tensors makes of one matrix, as bytes.
#pragma once
#include <cstddef>
#include <vector>

#include "detent/deploy/packed_matrix.h"

namespace detent {

std::vector<std::byte> packed_ints(const PackedMatrix& matrix);    // I32 [rows, words], zero point added
std::vector<std::byte> packed_floats(const PackedMatrix& matrix);  // U8 [rows, columns / 2]
std::vector<std::byte> packed_scales(const PackedMatrix& matrix);  // of its scale_dtype(), [rows, groups]
// One for each group of each row, packed along the rows: I32 [words, groups].
std::vector<std::byte> packed_zero_points(const PackedMatrix& matrix);

}  // namespace detent
