// What the machine gives this process.
#pragma once

namespace detent {

double memory_bytes();    // there is at all: the machine's, or less where a control group limits it
double resident_bytes();  // this process has now

}  // namespace detent
