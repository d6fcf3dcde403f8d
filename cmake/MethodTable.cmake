# Writes the table of methods from the names of src/detent/qat/methods/*.cpp. Self-registering objects would vanish from
# a static library at link time; a file without its entry is a link error here.
file(GLOB method_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/detent/qat/methods/*.cpp)
list(SORT method_files)
set(declarations "")
set(rows "")
foreach(method_file ${method_files})
  get_filename_component(method ${method_file} NAME_WE)
  string(APPEND declarations "extern const MethodEntry method_${method};\n")
  string(APPEND rows "      {\"${method}\", &method_${method}},\n")
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/method_table.cpp CONTENT
"#include \"detent/qat/method.h\"
namespace detent {
@declarations@
const std::vector<NamedMethod>& all_methods() {
  static const std::vector<NamedMethod> table = {
@rows@  };
  return table;
}
}  // namespace detent
" @ONLY)
