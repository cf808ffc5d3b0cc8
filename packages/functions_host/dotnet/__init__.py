"""Values in .NET's form: JSON of Newtonsoft, dates, time spans."""
