// The results as tables and as one page.
#pragma once
#include <string>
#include <vector>

#include "detent/report/table.h"
#include "quadratic/study.h"

namespace detent::quadratic {

struct Results {
  Budget budget;
  std::vector<Panel> panels;
  std::vector<ParetoCurve> pareto;
  double seconds = 0;
};

report::Table ratio_table(const Results& results);       // where every arm ended
report::Table difference_table(const Results& results);  // CAGE against the annealed straight-through arm
report::Table settings_table(const Results& results);    // what tuning chose
report::Table pareto_table(const Results& results);
std::string pareto_chart(const Results& results);  // svg
std::string page_html(const Results& results);

}  // namespace detent::quadratic
